/** The service whose WebSockets pass to the next process. */

import { carryWebSockets } from 'midflight/ws';
import { converse, createService, heard, listen, noteArrival } from './service.ts';

const { server, sockets } = createService();
carryWebSockets(sockets, {
  together: process.env.TOGETHER !== 'no',
  save: (socket) => heard.get(socket),
  restore(socket, count) {
    noteArrival();
    converse(socket, count);
  },
});
listen(server);
