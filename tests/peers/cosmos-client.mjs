// What the official client sees and makes of a Cosmos DB account.
//
//   node cosmos-client.mjs ENDPOINT make DATABASE CONTAINER PARTITION_PATH [UNIQUE_PATH]
//   node cosmos-client.mjs ENDPOINT read DATABASE CONTAINER      every document as a JSON line
//   node cosmos-client.mjs ENDPOINT drop DATABASE CONTAINER
//
// The key is TAMIS_COSMOS_KEY.

import { CosmosClient } from "@azure/cosmos";

const [endpoint, command, database, container, path, unique] = process.argv.slice(2);
const client = new CosmosClient({ endpoint, key: process.env.TAMIS_COSMOS_KEY, connectionPolicy: { enableEndpointDiscovery: false } });

switch (command) {
  case "make": {
    const made = await client.databases.createIfNotExists({ id: database });
    const uniqueKeyPolicy = unique && { uniqueKeys: [{ paths: [unique] }] };
    await made.database.containers.createIfNotExists({ id: container, partitionKey: { paths: [path] }, ...(unique && { uniqueKeyPolicy }) });
    break;
  }
  case "read": {
    const documents = client.database(database).container(container).items.readAll({ maxItemCount: 1000 });
    while (documents.hasMoreResults()) {
      const { resources } = await documents.fetchNext();
      for (const document of resources ?? []) console.log(JSON.stringify(document));
    }
    break;
  }
  case "drop":
    await client.database(database).container(container).delete();
    break;
  default:
    throw new Error(`there is no command '${command}'`);
}
