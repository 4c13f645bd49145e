/** A small app for `midflight dev`: a server, what answers, and a word in the answer; each of them can be saved anew. */

/** However long a client is kept from its next request, its connection stays. */
export const server = `
import http from 'node:http';
import { answer } from './answer.ts';
http.createServer({ keepAliveTimeout: 600_000 }, (request, response) => response.end(answer(request.url ?? '/'))).listen(Number(process.env.PORT), '127.0.0.1');
`;

export const answer = (text: string): string => `
import { state } from 'midflight';
import { word } from './word.ts';
const visits = state('visits', () => ({ count: 0 }));
export function answer(url: string): string {
  visits.count += 1;
  return url === '/visits' ? String(visits.count) : '${text} ' + word;
}
`;

export const word = (text: string): string => `export const word: string = '${text}';\n`;

export const files = { 'server.ts': server, 'answer.ts': answer('one'), 'word.ts': word('a') };
