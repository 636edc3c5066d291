// The inbox's API. Its document is api/v1/openapi.json.

/**
 * @typedef {object} Summary a message in the list
 * @property {string} id
 * @property {string} received_at
 * @property {string} from
 * @property {string[]} to
 * @property {string} header_from
 * @property {string} subject
 * @property {string} excerpt
 * @property {number} size
 * @property {number} attachments
 * @property {boolean} html
 * @property {number} code
 * @property {number} number
 * @property {boolean} [read]
 * @property {string} [mailbox]
 * @property {number} [defects]
 * @property {string} [from_name] absent in a message of an older host, as every optional one here
 *
 * @typedef {{ name: string, address: string }} Address
 *
 * @typedef {object} AttachmentInfo
 * @property {number} number
 * @property {string} filename
 * @property {string} content_type
 * @property {number} size
 * @property {string} content_id
 * @property {boolean} inline
 * @property {boolean} [related] the HTML shows it
 *
 * @typedef {{ mechanism: string, username: string, password: string }} CredentialsInfo
 *
 * @typedef {object} SessionInfo
 * @property {string} uuid
 * @property {string} remote_addr
 * @property {string} helo
 * @property {CredentialsInfo | null} authentication
 * @property {string} reply
 * @property {string} reason
 * @property {string[]} transcript
 * @property {{ version: string, cipher: string, subject: string | null } | null} [tls]
 *
 * @typedef {object} Detail a whole message
 * @property {Summary} summary
 * @property {Record<string, string[]>} headers
 * @property {string} text
 * @property {string} html
 * @property {string} [text_from_html]
 * @property {AttachmentInfo[]} attachments
 * @property {string[]} defects
 * @property {SessionInfo} session
 * @property {Address[]} [from]
 * @property {Address[]} [to]
 * @property {Address[]} [cc]
 * @property {Release[]} [releases]
 *
 * @typedef {object} Release one try to send a message to real addresses
 * @property {string} at
 * @property {string[]} to
 * @property {boolean} accepted
 * @property {number} code
 * @property {string} reply
 * @property {string} reason
 *
 * @typedef {{ messages: Summary[], next: number | null, total: number, unread: number, bytes: number, hits: string[] }} MessageList
 *
 * @typedef {object} Refusal a refused command or message, or a session that the server ended
 * @property {number} number
 * @property {string} at
 * @property {string} remote_addr
 * @property {string} helo
 * @property {string} from
 * @property {string[]} to
 * @property {number} recipients
 * @property {string} command
 * @property {number} code
 * @property {string} reply
 * @property {string} setting
 * @property {string} reason
 * @property {boolean} ended
 * @property {number} left_out
 * @property {string} message
 *
 * @typedef {object} Connection
 * @property {string} uuid
 * @property {string} remote_addr
 * @property {string} from
 * @property {string[]} to
 * @property {boolean} authenticated
 * @property {string} username
 *
 * @typedef {object} Info
 * @property {string} version
 * @property {string} smtp_address
 * @property {number} max_messages
 * @property {boolean} persistent
 * @property {boolean} connections
 * @property {boolean} remote_images
 * @property {boolean} open
 * @property {string} mailbox_by
 * @property {string} mailbox the only one that the login may see, empty for all
 * @property {{ address: string, allow: string[] } | null} [relay]
 *
 * @typedef {object} Finding a rule that a message breaks
 * @property {string} rule
 * @property {"error" | "warning" | "hint"} severity
 * @property {string} text
 * @property {string} remedy
 * @property {string} source
 * @property {number} count
 * @property {string[]} places the first ones
 *
 * @typedef {{ findings: Finding[], errors: number, warnings: number, hints: number }} Checked
 *
 * @typedef {Record<"images" | "styles" | "scripts" | "forms" | "frames" | "media", number>} Blocked
 */

// The page's own address may have a login, http://ann:secret@mail.test, and fetch refuses such a URL.
const { origin, pathname } = new URL("api/v1", location.href);
export const API = `${origin}${pathname}`;

/** An answer that is not a success. Its message is a sentence of the host's. */
export class Problem extends Error {
  /**
   * @param {number} status
   * @param {string} [detail]
   */
  constructor(status, detail) {
    super(detail || `the inbox answered ${status}`);
    this.status = status;
  }
}

/**
 * Send a request and return its answer. Throws Problem, and TypeError where the host does not answer.
 * @param {string} path
 * @param {RequestInit} [options]
 * @returns {Promise<Response>}
 */
export async function ask(path, options = {}) {
  const response = await fetch(`${API}/${path}`, options);
  if (response.ok) return response;
  const problem = await response.json().catch(() => ({}));
  throw new Problem(response.status, problem.detail);
}

/**
 * Return the JSON of an answer. Throws as `ask` does.
 * @param {string} path
 * @returns {Promise<any>}
 */
export async function get(path) {
  return (await ask(path)).json();
}

/**
 * Return the path of a message.
 * @param {string} id
 * @returns {string}
 */
export function pathOf(id) {
  return `messages/${encodeURIComponent(id)}`;
}
