/** What the command line asks a running supervisor, over its control socket. */

import { request as httpRequest, type IncomingMessage } from 'node:http';
import { once } from 'node:events';
import { MidflightError } from '../errors.ts';
import {
  CONTROL_PROTOCOL_HEADER,
  negotiate,
  parseRange,
  protocols,
  toRangeText,
} from '../protocol/versions.ts';
import type { Home } from '../release/home.ts';

export interface ControlCall {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly body?: unknown;
  /** Called with each event of a stream; the last one is returned too. */
  onEvent?(event: string, data: unknown): void;
}

/** One call. Errors: ERR_MIDFLIGHT_NOT_RUNNING where nobody listens. */
export async function callControl(home: Home, call: ControlCall): Promise<unknown> {
  const response = await send(home, call);
  const isStream = response.headers['content-type']?.startsWith('text/event-stream') === true;
  return isStream ? readEvents(response, call) : readJson(response);
}

async function send(home: Home, { method, path, body }: ControlCall): Promise<IncomingMessage> {
  const request = httpRequest({
    socketPath: home.controlSocket,
    method,
    path,
    headers: {
      'content-type': 'application/json',
      [CONTROL_PROTOCOL_HEADER]: toRangeText(protocols.control),
    },
  });
  request.end(body === undefined ? undefined : JSON.stringify(body));
  try {
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    const range = parseRange(response.headers[CONTROL_PROTOCOL_HEADER]?.toString());
    if (range !== null) negotiate('control', 'What runs', range);
    return response;
  } catch (error) {
    if (error instanceof MidflightError) throw error;
    throw new MidflightError('ERR_MIDFLIGHT_NOT_RUNNING', [home.appDirectory], { cause: error });
  }
}

async function readJson(response: IncomingMessage): Promise<unknown> {
  let text = '';
  for await (const chunk of response.setEncoding('utf8')) text += chunk as string;
  return JSON.parse(text) as unknown;
}

async function readEvents(response: IncomingMessage, { onEvent }: ControlCall): Promise<unknown> {
  let buffered = '';
  let last: unknown = null;
  try {
    for await (const chunk of response.setEncoding('utf8')) {
      const blocks = (buffered + (chunk as string)).split('\n\n');
      buffered = blocks.pop() ?? '';
      for (const block of blocks) last = deliver(block, onEvent) ?? last;
    }
  } catch {
    // The supervisor ended in the middle; what it said last is all there is.
  }
  return last;
}

/** Returns what ends the stream: a report, or an error. */
function deliver(block: string, onEvent: ControlCall['onEvent']): unknown {
  const field = (name: string): string => new RegExp(`^${name}: ?(.*)$`, 'm').exec(block)?.[1] ?? '';
  const event = field('event');
  const data: unknown = JSON.parse(field('data') || 'null');
  onEvent?.(event, data);
  if (event === 'report') return data;
  return event === 'error' ? { error: data } : null;
}
