// A worker in plain Node that decides about mail in three steps. Each is active when its variable is set:
// USERS: the addresses that exist here; a message for any other is refused with 550.
// WEBHOOK: a URL that gets every event as JSON; while it is down, messages are refused with 451: try again later.
// SAVE_TO: a folder for the attachments.
'use strict';
const fs = require('node:fs');
const path = require('node:path');
const { randomBytes } = require('node:crypto');
const { setTimeout: pause } = require('node:timers/promises');
const { say, serve } = require('./frames.js');

const { USERS = '', WEBHOOK, SAVE_TO, TIMEOUT = '5' } = process.env;
const PAUSES = [200, 400, 0]; // milliseconds after each attempt at the webhook
const users = USERS.toLowerCase().split(/\s+/).filter(Boolean);

serve(handle);

// Decides about one message. A refused message leaves nothing behind, so the sender may try again.
async function handle(event) {
  if (event.event !== 'EMAIL_RECEIVED') throw new Error(`the event is ${event.event}, not mail`);
  const unknown = event.envelope.to.filter((address) => users.length && !users.includes(address.toLowerCase()));
  if (unknown.length) return reject(550, `no such user: ${unknown.join(', ')}`);
  if (WEBHOOK && !(await forward(event))) return reject(451, 'cannot be processed now, try again later');
  // From the parsed headers; the sender of the envelope may be another. An older host sends none of them.
  const from = event.message.from?.[0]?.address ?? event.envelope.from;
  if (SAVE_TO) event.attachments.forEach((attachment) => save(attachment, from));
  return 'CONTINUE';
}

function reject(code, message) {
  return JSON.stringify({ code, message });
}

// Posts the event, without the sender's password; says whether the webhook took it.
async function forward({ authentication, ...event }) {
  const request = { method: 'POST', headers: { 'content-type': 'application/json' }, redirect: 'manual' };
  for (const milliseconds of PAUSES) {
    let reason;
    try {
      const signal = AbortSignal.timeout(TIMEOUT * 1000);
      const response = await fetch(WEBHOOK, { ...request, body: JSON.stringify(event), signal });
      await response.arrayBuffer(); // for another use of the connection
      if (response.ok) return true;
      reason = `status ${response.status}`;
    } catch (error) {
      reason = String(error.cause ?? error);
    }
    say('warning', 'the webhook failed', { id: event.id, reason });
    await pause(milliseconds);
  }
  return false;
}

// Writes an attachment to a new file in the folder.
function save(attachment, from) {
  fs.mkdirSync(SAVE_TO, { recursive: true });
  const name = safeName(attachment.filename);
  let file = path.join(SAVE_TO, name);
  while (fs.lstatSync(file, { throwIfNoEntry: false })) {
    file = path.join(SAVE_TO, `${randomBytes(4).toString('hex')}-${name}`);
  }
  const content = attachment.path ? fs.readFileSync(attachment.path) : Buffer.from(attachment.content, 'base64');
  fs.writeFileSync(file, content, { flag: 'wx' }); // fails for a file that another worker has just made
  say('info', 'an attachment was saved', { path: file, size: content.length, sha256: attachment.sha256, from });
}

// Makes a file name from the sender's text: no folder, no unprintable characters, not too long.
function safeName(filename) {
  const last = filename.replace(/^.*[/\\]/s, '').replace(/[^\p{L}\p{M}\p{N}_.@+-]+/gu, '_');
  const name = [...last].slice(-60).join('').replace(/^[.-]+|\.+$/g, ''); // 60 characters are at most 240 bytes
  const isNoName = /^$|^(con|prn|aux|nul|(com|lpt)[^.])(\.|$)/iu.test(name); // or a device of Windows
  return isNoName ? `attachment-${name}` : name;
}
