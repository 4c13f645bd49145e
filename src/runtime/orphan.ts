/**
 * A worker whose keeper has been killed. It serves on as if nothing was, also new connections, and waits on a socket of its
 * own for the next keeper to tell it to leave.
 */

import { chmodSync, rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { toOrphanSocket, type OrphanCall } from '../protocol/orphan.ts';

export interface OrphanOptions {
  /** `.midflight/`. */
  readonly directory: string;
  /** Stops accepting. */
  stopAccepting(): Promise<unknown>;
  /** Ends what is open, within this time. */
  drain(timeoutMs: number): Promise<unknown>;
}

/** Opens the socket; the process ends when it has been told to leave, and has drained. */
export function waitAsOrphan({ directory, stopAccepting, drain }: OrphanOptions): void {
  const file = toOrphanSocket(directory, process.pid);
  const leave = async (socket: Socket, timeoutMs: number): Promise<void> => {
    await stopAccepting();
    socket.end(`${JSON.stringify({ leaving: true })}\n`);
    await drain(timeoutMs);
    rmSync(file, { force: true });
    process.exit(0);
  };
  const server = createServer((socket) => {
    socket.on('error', () => {
      // Who asks does not wait for the answer any more.
    });
    socket.once('data', (line) => {
      const { timeoutMs } = (JSON.parse(line.toString()) as OrphanCall).leave;
      void leave(socket, timeoutMs);
    });
  });
  server.on('error', () => {
    // The directory is gone: SIGTERM is what is left to end this process.
  });
  rmSync(file, { force: true });
  const mask = process.umask(0o177);
  server.listen(file, () => chmodSync(file, 0o600));
  process.umask(mask);
  server.unref();
}
