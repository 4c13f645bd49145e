/** The kernel's table of TCP sockets, by which the two ends of a connection on one machine can be told: proc_net_tcp. */

import { readFile } from 'node:fs/promises';
import { isIPv4 } from 'node:net';
import os from 'node:os';

/** `include/net/tcp_states.h`. */
const ESTABLISHED = '01';
const LISTEN = '0A';
/** The field of a row that is the inode. */
const INODE_FIELD = 9;
/** How an IPv4 address begins in the table of IPv6. */
const MAPPED = `${'0'.repeat(16)}${toWord([0, 0, 0xff, 0xff])}`;

/** As the client has it. */
export interface Connection {
  readonly localAddress: string;
  readonly localPort: number;
  readonly remoteAddress: string;
  readonly remotePort: number;
}

/** The inode of the server's end of a connection; null while it waits in the queue, and when it has ended. */
export async function findServerInode(connection: Connection): Promise<string | null> {
  const { localAddress, localPort, remoteAddress, remotePort } = connection;
  const toEnds = (prefix: string): string => {
    const server = `${prefix}${toHex(remoteAddress)}:${toPort(remotePort)}`;
    return `${server} ${prefix}${toHex(localAddress)}:${toPort(localPort)} ${ESTABLISHED} `;
  };
  const isMapped = isIPv4(toPlain(localAddress));
  const inode = isMapped
    ? ((await findInode(files[0], toEnds(MAPPED))) ?? (await findInode(files[1], toEnds(''))))
    : await findInode(files[0], toEnds(''));
  return inode === '0' ? null : inode;
}

/** The port of a listening socket. */
export async function findListeningPort(inode: string): Promise<number | null> {
  for (const file of files) {
    const rows = (await readTable(file)).split('\n').map((row) => row.trim().split(/\s+/));
    const row = rows.find((fields) => fields[INODE_FIELD] === inode && fields[3] === LISTEN);
    const port = row?.[1]?.split(':')[1];
    if (port !== undefined) return Number.parseInt(port, 16);
  }
  return null;
}

/** The second has the connections over IPv4 whose listener is of IPv6 too; it is the shorter one mostly, and a table of tens of thousands
 *  takes the kernel a tenth of a second. */
const files = ['/proc/net/tcp6', '/proc/net/tcp'] as const;

/** Of the row that has this text. They are not taken apart, as there may be so many. */
async function findInode(file: string, text: string): Promise<string | null> {
  const table = await readTable(file);
  const at = table.indexOf(` ${text}`);
  if (at === -1) return null;
  const row = table.slice(table.lastIndexOf('\n', at) + 1, table.indexOf('\n', at));
  return row.trim().split(/\s+/)[INODE_FIELD] ?? null;
}

async function readTable(file: string): Promise<string> {
  try {
    return await readFile(file, 'latin1');
  } catch {
    // No IPv6, or no /proc at all.
    return '';
  }
}

function toPlain(address: string): string {
  return address.replace(/^::ffff:/i, '');
}

function toPort(port: number): string {
  return port.toString(16).toUpperCase().padStart(4, '0');
}

/** As the table has it: 32-bit words in the machine's order. */
function toHex(address: string): string {
  const plain = toPlain(address);
  if (isIPv4(plain)) return toWord(plain.split('.').map(Number));
  const [head = '', tail] = address.split('::');
  const groups = (text = ''): string[] => (text === '' ? [] : text.split(':'));
  const zeros = 8 - groups(head).length - groups(tail).length;
  const all = [...groups(head), ...Array.from({ length: zeros }, () => '0'), ...groups(tail)];
  const bytes = all.flatMap((group) => [Number.parseInt(group, 16) >> 8, Number.parseInt(group, 16) & 0xff]);
  return [0, 4, 8, 12].map((start) => toWord(bytes.slice(start, start + 4))).join('');
}

function toWord(bytes: readonly number[]): string {
  const word = Buffer.from(bytes);
  if (os.endianness() === 'LE') word.reverse();
  return word.toString('hex').toUpperCase();
}
