/**
 * The control socket is the owner's: the kernel lets nobody else connect to a socket of mode 0600, and no client speaks to one that
 * somebody else could have put there. Node has no SO_PEERCRED, so it is the file that is looked at, not the peer.
 */

import { chmodSync, lstatSync, statSync } from 'node:fs';
import path from 'node:path';
import { MidflightError } from '../errors.ts';

const OTHERS = 0o077;
const OTHERS_MAY_WRITE = 0o022;

/** Nobody else may put a socket into the folder from now on. */
export function guardFolder(socket: string): void {
  const folder = path.dirname(socket);
  const { mode } = statSync(folder);
  if ((mode & OTHERS_MAY_WRITE) !== 0) chmodSync(folder, mode & 0o777 & ~OTHERS_MAY_WRITE);
}

/** Whoever connects speaks to the owner of the app: itself, or for root, whoever that is. A missing one is for the caller to find.
 *  Errors: ERR_MIDFLIGHT_CONTROL_SOCKET_UNSAFE. */
export function assertOwnSocket(socket: string): void {
  const own = process.getuid?.();
  const file = lstatSync(socket, { throwIfNoEntry: false });
  if (own === undefined || file === undefined) return;
  // It may be a link to another disk.
  const link = lstatSync(path.dirname(socket));
  const folder = statSync(path.dirname(socket));
  const refuse = (problem: string): never => {
    throw new MidflightError('ERR_MIDFLIGHT_CONTROL_SOCKET_UNSAFE', [socket, problem]);
  };
  if (!file.isSocket()) refuse('is not a socket');
  if (own !== 0 && file.uid !== own) refuse(`belongs to uid ${file.uid}, not to you (${own})`);
  for (const { uid } of [link, folder])
    if (uid !== file.uid && uid !== 0) refuse(`lies in a folder of uid ${uid}, and belongs to ${file.uid}`);
  if ((file.mode & OTHERS) !== 0) refuse(`is open to others (mode ${(file.mode & 0o777).toString(8)})`);
  if ((folder.mode & OTHERS_MAY_WRITE) !== 0) refuse('lies in a folder that others may write to');
}
