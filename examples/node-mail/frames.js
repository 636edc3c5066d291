// The worker protocol in plain Node: requests and answers as frames, on every relay.
'use strict';
const net = require('node:net');
const { once } = require('node:events');

// With pipes, stdout carries the frames only. stderr is the host's log.
console.log = console.info = console.debug = console.error;
const CONTROL = 0x01, ERROR = 0x40; // flags, byte 1 of a frame

// Writes a line to the host's log.
const say = (level, msg, keys) => console.error(JSON.stringify({ level, msg, ...keys }));

// The text of an error, with the file and the line of the first step that is not Node's own.
const describe = (error) => {
  const [, place] = /(?:at |\()((?:\/|file:)[^()\n]*:\d+):\d+\)?$/m.exec(error?.stack) || [];
  return place ? `${error.message} in ${place}` : String(error);
};

// Newer versions of Node have it as zlib.crc32. It is called for six bytes only.
const crc32 = (bytes) => ~bytes.reduce((crc, byte) => {
  crc ^= byte;
  for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  return crc;
}, -1) >>> 0;

// Calls `handle` with each event and sends its answer. An error refuses this one event; the worker lives on.
async function run(handle) {
  const relay = process.env.RR_RELAY || 'pipes'; // or tcp://host:port, or unix://path: then the worker connects
  const [, host, port] = /^tcp:\/\/\[?(.*?)\]?:(\d+)$/.exec(relay) || [];
  const socket = relay !== 'pipes' && net.connect(host ? { host, port } : { path: relay.replace('unix://', '') });
  if (socket) await once(socket, 'connect');
  const [input, output] = [socket || process.stdin, socket || process.stdout];
  const leave = () => process.exit(0);
  for (const channel of [input, output]) channel.on('error', leave); // the host is gone

  const chunks = input[Symbol.asyncIterator]();
  let rest = Buffer.alloc(0);
  const take = async (size) => { // exactly `size` bytes, which may arrive in any pieces
    const found = [rest];
    for (let have = rest.length; have < size; have += found.at(-1).length) {
      const { value, done } = await chunks.next();
      found.push(done ? leave() : value);
    }
    rest = Buffer.concat(found);
    const taken = rest.subarray(0, size);
    rest = rest.subarray(size);
    return taken;
  };
  const send = (flags, payload, ...options) => { // a header with the CRC of its first six bytes, options, the payload
    const head = Buffer.alloc(12 + 4 * options.length);
    head.writeUInt8(0x13 + options.length, 0);
    head.writeUInt8(flags, 1);
    head.writeUInt32LE(payload.length, 2);
    head.writeUInt32LE(crc32(head.subarray(0, 6)), 6);
    options.forEach((option, index) => head.writeUInt32LE(option, 12 + 4 * index));
    return new Promise((sent) => output.write(Buffer.concat([head, payload]), sent));
  };

  for (;;) {
    const head = await take(12);
    const options = await take(4 * ((head[0] & 15) - 3));
    const payload = await take(head.readUInt32LE(2));
    if (head[1] & CONTROL) {
      if (JSON.parse(payload).stop) leave();
      await send(CONTROL, Buffer.from(JSON.stringify({ pid: process.pid }))); // the handshake: this process
    } else if (head[10] === 0) { // all other frames are about streams, which this worker does not send
      const split = options.readUInt32LE(0); // where the context ends and the body begins
      const work = Promise.resolve(payload.subarray(0, split)).then(JSON.parse).then(handle).then(Buffer.from);
      await work.then((answer) => send(0, answer, answer.length), (error) => send(ERROR, Buffer.from(describe(error))));
    }
  }
}

const serve = (handle) => run(handle).catch((error) => {
  console.error(`the worker cannot go on: ${error.message}`);
  process.exit(1);
});

module.exports = { say, serve };
