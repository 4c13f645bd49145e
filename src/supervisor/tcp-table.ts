/** The kernel's table of TCP sockets, by which the two ends of a connection on one machine can be told: proc_net_tcp. */

import { readFileSync } from 'node:fs';
import { isIPv4 } from 'node:net';

/** `include/net/tcp_states.h`. */
const ESTABLISHED = '01';
const LISTEN = '0A';

interface TableRow {
  readonly local: string;
  readonly localPort: number;
  readonly remote: string;
  readonly remotePort: number;
  readonly state: string;
  readonly inode: string;
}

export interface Connection {
  readonly clientAddress: string;
  readonly clientPort: number;
  readonly serverPort: number;
}

/** The inode of the server's end of a connection; null while it waits in the queue, and when it has ended. */
export function findServerInode({ clientAddress, clientPort, serverPort }: Connection): string | null {
  const client = toHex(clientAddress);
  const row = readTable().find(
    ({ localPort, remote, remotePort, state }) =>
      state === ESTABLISHED &&
      localPort === serverPort &&
      remotePort === clientPort &&
      remote.endsWith(client),
  );
  return row === undefined || row.inode === '0' ? null : row.inode;
}

/** The port of a listening socket. */
export function findListeningPort(inode: string): number | null {
  const row = readTable().find((candidate) => candidate.inode === inode && candidate.state === LISTEN);
  return row?.localPort ?? null;
}

function readTable(): TableRow[] {
  return ['/proc/net/tcp', '/proc/net/tcp6'].flatMap((file) => {
    try {
      return readFileSync(file, 'utf8').trimEnd().split('\n').slice(1).map(toRow);
    } catch {
      // No IPv6, or no /proc at all.
      return [];
    }
  });
}

function toRow(line: string): TableRow {
  const [, local = '', remote = '', state = '', , , , , , inode = ''] = line.trim().split(/\s+/);
  const [localAddress = '', localPort = ''] = local.split(':');
  const [remoteAddress = '', remotePort = ''] = remote.split(':');
  return {
    local: localAddress,
    localPort: Number.parseInt(localPort, 16),
    remote: remoteAddress,
    remotePort: Number.parseInt(remotePort, 16),
    state,
    inode,
  };
}

/** As the table has it: 32-bit words in the machine's order. An IPv4 address is also the last word of its mapped IPv6 address. */
function toHex(address: string): string {
  const mapped = address.replace(/^::ffff:/i, '');
  if (isIPv4(mapped)) return toWord(mapped.split('.').map(Number));
  // `[::1]` and the like: URL writes no IPv6 address in full, so the groups are laid out here.
  const [head = '', tail] = address.split('::');
  const groups = (text: string): string[] => (text === '' ? [] : text.split(':'));
  const known = [...groups(head), ...groups(tail ?? '')].length;
  const all = [...groups(head), ...Array.from({ length: 8 - known }, () => '0'), ...groups(tail ?? '')];
  const bytes = all.flatMap((group) => [Number.parseInt(group, 16) >> 8, Number.parseInt(group, 16) & 0xff]);
  return [0, 4, 8, 12].map((start) => toWord(bytes.slice(start, start + 4))).join('');
}

function toWord(bytes: readonly number[]): string {
  const word = Buffer.from(bytes);
  if (isLittleEndian) word.reverse();
  return word.toString('hex').toUpperCase();
}

const isLittleEndian = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1;
