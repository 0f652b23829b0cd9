// The column frame that the raw door speaks (udf/frame/src/frame.rs): one block, a header, column descriptors,
// Arrow-layout buffers at multiples of 8.

export type Values =
  | { type: "float"; values: Float64Array }
  | { type: "bigint"; values: BigInt64Array }
  | { type: "text"; values: string[] }
  | { type: "bit"; values: boolean[] };

/** One column; a row whose `valid` is false has no value. */
export interface FrameColumn {
  name: string;
  data: Values;
  valid?: boolean[];
}

export interface Frame {
  rows: number;
  columns: FrameColumn[];
}

const MAGIC = 0x4d524654;
const VERSION = 1;
const KIND_ERROR = 1;
const HEADER = 24;
const DESCRIPTOR = 40;
const HAS_VALIDITY = 1;
const TYPES = { float: 1, bigint: 2, text: 3, bit: 4 } as const;
const ALIGN = 8;

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const aligned = (length: number) => Math.ceil(length / ALIGN) * ALIGN;

function bitmap(bits: boolean[]): Uint8Array {
  const out = new Uint8Array(Math.ceil(bits.length / 8));
  bits.forEach((bit, row) => {
    if (bit) out[row >> 3] = (out[row >> 3] ?? 0) | (1 << (row & 7));
  });
  return out;
}

const raw = (view: ArrayBufferView) => new Uint8Array(view.buffer, view.byteOffset, view.byteLength);

/** The buffers of a column in the descriptor's order: validity, offsets, values. */
function buffers({ data, valid }: FrameColumn): [Uint8Array, Uint8Array, Uint8Array] {
  const validity = valid ? bitmap(valid) : new Uint8Array();
  if (data.type === "bit") return [validity, new Uint8Array(), bitmap(data.values)];
  if (data.type !== "text") return [validity, new Uint8Array(), raw(data.values)];
  const texts = data.values.map((text) => encoder.encode(text));
  const offsets = new Int32Array(texts.length + 1);
  texts.forEach((text, row) => {
    offsets[row + 1] = (offsets[row] ?? 0) + text.length;
  });
  const bytes = new Uint8Array(offsets[texts.length] ?? 0);
  texts.forEach((text, row) => {
    bytes.set(text, offsets[row] ?? 0);
  });
  return [validity, raw(offsets), bytes];
}

export function encode({ rows, columns }: Frame): Uint8Array {
  const parts = columns.map((column) => [encoder.encode(column.name), ...buffers(column)] as const);
  let length = HEADER + columns.length * DESCRIPTOR;
  for (const part of parts.flat()) length = aligned(length) + part.length;
  length = aligned(length);
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, MAGIC, true);
  view.setUint16(4, VERSION, true);
  view.setUint32(8, columns.length, true);
  view.setUint32(12, rows, true);
  view.setBigUint64(16, BigInt(length), true);
  let end = HEADER + columns.length * DESCRIPTOR;
  columns.forEach((column, index) => {
    const at = HEADER + index * DESCRIPTOR;
    const [name, validity, offsets, values] = parts[index] as (typeof parts)[number];
    const put = (place: number, part: Uint8Array) => {
      end = aligned(end);
      bytes.set(part, end);
      view.setUint32(at + place, end, true);
      view.setUint32(at + place + 4, part.length, true);
      end += part.length;
    };
    put(0, name);
    view.setUint32(at + 8, TYPES[column.data.type], true);
    view.setUint32(at + 12, column.valid ? HAS_VALIDITY : 0, true);
    put(16, validity);
    put(24, offsets);
    put(32, values);
  });
  return bytes;
}

/** Reads a reply. A reply that is an error is thrown; one that is cut off or nonsense is, too. */
export function decode(bytes: Uint8Array): Frame {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < HEADER || view.getUint32(0, true) !== MAGIC || view.getUint16(4, true) !== VERSION)
    throw new Error(`the module's reply is not a frame of version ${VERSION}`);
  const kind = view.getUint16(6, true);
  const rows = view.getUint32(12, true);
  const columns = Array.from({ length: view.getUint32(8, true) }, (_, index) =>
    column(bytes, view, HEADER + index * DESCRIPTOR, rows),
  );
  if (kind === KIND_ERROR) {
    const message = columns[0]?.data;
    throw new Error(message?.type === "text" ? message.values[0] : "the module failed without a reason");
  }
  return { rows, columns };
}

function column(bytes: Uint8Array, view: DataView, at: number, rows: number): FrameColumn {
  const part = (place: number) => {
    const [offset, length] = [view.getUint32(at + place, true), view.getUint32(at + place + 4, true)];
    if (offset + length > bytes.length) throw new Error("the module's reply is cut off");
    return bytes.slice(offset, offset + length);
  };
  const name = decoder.decode(part(0));
  const bit = (bits: Uint8Array, row: number) => ((bits[row >> 3] ?? 0) >> (row & 7)) % 2 === 1;
  const each = <T>(make: (row: number) => T) => Array.from({ length: rows }, (_, row) => make(row));
  const values = part(32);
  let data: Values;
  switch (view.getUint32(at + 8, true)) {
    case TYPES.float:
      data = { type: "float", values: new Float64Array(values.buffer, 0, rows) };
      break;
    case TYPES.bigint:
      data = { type: "bigint", values: new BigInt64Array(values.buffer, 0, rows) };
      break;
    case TYPES.bit:
      data = { type: "bit", values: each((row) => bit(values, row)) };
      break;
    case TYPES.text: {
      const offsets = new Int32Array(part(24).buffer, 0, rows + 1);
      data = {
        type: "text",
        values: each((row) => decoder.decode(values.subarray(offsets[row], offsets[row + 1]))),
      };
      break;
    }
    default:
      throw new Error(`column '${name}' of the module's reply has an unknown type`);
  }
  if ((view.getUint32(at + 12, true) & HAS_VALIDITY) === 0) return { name, data };
  const bits = part(16);
  return { name, data, valid: each((row) => bit(bits, row)) };
}
