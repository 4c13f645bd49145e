/**
 * Reads what a process prints whose keeper has been killed, from the descriptors 3 and 4 into the log of the app, until the process
 * ends. A keeper of before starts it: its arguments never change.
 */

import { Socket } from 'node:net';
import { createAppLog } from './app-log.ts';

const DESCRIPTORS = [3, 4];

const [file = ''] = process.argv.slice(2);
const log = createAppLog({ file });
for (const fd of DESCRIPTORS) {
  const lines = log.openStream();
  const socket = new Socket({ fd, readable: true, writable: false });
  socket.on('data', (chunk) => lines.write(chunk));
  socket.on('error', () => {
    // As its end.
  });
  socket.once('close', () => lines.end());
}
