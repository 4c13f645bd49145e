/** Tells the time. */

import { createServer } from 'node:http';
import { format } from './format.ts';

createServer((request, response) => {
  response.setHeader('content-type', 'text/plain; charset=utf-8');
  response.end(`${format(new Date())}\n`);
}).listen(Number(process.env['PORT'] ?? 3000), '127.0.0.1');
