// What the official client sees and makes of a Cosmos DB account.
//
//   node cosmos-client.mjs ENDPOINT make DATABASE CONTAINER PARTITION_PATH [UNIQUE_PATH]
//   node cosmos-client.mjs ENDPOINT read DATABASE CONTAINER      every document as a JSON line
//   node cosmos-client.mjs ENDPOINT remove DATABASE CONTAINER ID PARTITION_KEY
//
// The key is TAMIS_COSMOS_KEY.

import { CosmosClient } from "@azure/cosmos";

const [endpoint, command, database, container, ...more] = process.argv.slice(2);
const client = new CosmosClient({ endpoint, key: process.env.TAMIS_COSMOS_KEY, connectionPolicy: { enableEndpointDiscovery: false } });

switch (command) {
  case "make": {
    const [path, unique] = more;
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
  case "remove":
    await client.database(database).container(container).item(...more).delete();
    break;
  default:
    throw new Error(`there is no command '${command}'`);
}
