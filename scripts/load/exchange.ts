/** One strict HTTP exchange: it is sent once, and anything but a whole 2xx answer is an error. */

import http, { type Agent, type IncomingMessage } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

/** Longer than any answer of the apps under test takes. */
const TIMEOUT_MS = 30_000;

export interface ExchangeOptions {
  readonly url: string;
  /** `false`: a connection of its own. */
  readonly agent: Agent | false;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** The pieces of the body, and the time between them. */
  readonly body?: { readonly pieces: readonly Buffer[]; readonly pauseMs: number };
}

/** Resolves with the whole body. Rejects where the connection or the answer breaks. */
export function exchange(options: ExchangeOptions): Promise<string> {
  const { url, agent, method = 'GET', headers = {}, body } = options;
  return new Promise((resolve, reject) => {
    const request = http.request(url, { agent, method, headers });
    request.setTimeout(TIMEOUT_MS, () => request.destroy(new Error(`no answer within ${TIMEOUT_MS} ms`)));
    request.on('error', reject);
    request.on('response', (response) => readWhole(response).then(resolve, reject));
    sendBody(request, body).catch(reject);
  });
}

async function sendBody(request: http.ClientRequest, body: ExchangeOptions['body']): Promise<void> {
  for (const piece of body?.pieces ?? []) {
    request.write(piece);
    await sleep(body?.pauseMs);
  }
  request.end();
}

async function readWhole(response: IncomingMessage): Promise<string> {
  response.setEncoding('utf8');
  let text = '';
  // Rejects when the connection ends before the answer does.
  for await (const chunk of response) text += String(chunk);
  const { statusCode = 0 } = response;
  if (statusCode < 200 || statusCode > 299) throw new Error(`status ${statusCode}: ${text.slice(0, 200)}`);
  return text;
}
