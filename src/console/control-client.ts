/** What the command line asks a running supervisor, over its control socket. */

import type { IncomingMessage } from 'node:http';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { MidflightError } from '../errors.ts';
import {
  CONTROL_PROTOCOL_HEADER,
  negotiate,
  parseRange,
  protocols,
  toRangeText,
} from '../protocol/versions.ts';
import { CLIENT_HEADER, toClientText } from '../deploy/actor.ts';
import type { Home } from '../release/home.ts';
import { isHolderThere } from '../supervisor/lock-holder.ts';
import { assertOwnSocket } from './own-socket.ts';

// `import` reads every export of node:http, among them getters that load undici: 30 ms of each command (v24.21).
const { request: httpRequest } = process.getBuiltinModule('node:http');

export interface ControlCall {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly body?: unknown;
  /** Done twice it is as done once, so that a supervisor killed at it is followed by one that is asked again. A GET always is. */
  readonly isRepeatable?: boolean;
  /** Called with each event of a stream; the last one is returned too. */
  onEvent?(event: string, data: unknown): void;
}

/** One call. Errors: ERR_MIDFLIGHT_NOT_RUNNING where nobody listens. */
export async function callControl(home: Home, call: ControlCall): Promise<unknown> {
  const response = await send(home, call);
  const isStream = response.headers['content-type']?.startsWith('text/event-stream') === true;
  return isStream ? readEvents(response, call) : readJson(response);
}

/** A supervisor that was killed is followed by another within a second, if its keeper is there. */
const SUCCESSION_TIMEOUT_MS = 10_000;
const RETRY_MS = 50;

async function send(home: Home, call: ControlCall): Promise<IncomingMessage> {
  const deadline = performance.now() + SUCCESSION_TIMEOUT_MS;
  for (;;) {
    try {
      const response = await sendOnce(home, call);
      const range = parseRange(response.headers[CONTROL_PROTOCOL_HEADER]?.toString());
      if (range !== null) negotiate('control', 'What runs', range);
      return response;
    } catch (error) {
      if (error instanceof MidflightError) throw error;
      if (!isUnheard(error, call) || !isHolderThere(home.lockFile) || performance.now() > deadline)
        throw await notRunning(home, error);
      await sleep(RETRY_MS);
    }
  }
}

async function notRunning(home: Home, cause: unknown): Promise<MidflightError> {
  const { appDirectory, processFile } = home;
  const { findOrphans } = await import('../supervisor/orphans.ts');
  const pids = isHolderThere(home.lockFile) ? [] : findOrphans(processFile).map(({ pid }) => pid);
  return new MidflightError('ERR_MIDFLIGHT_NOT_RUNNING', [appDirectory, pids.join(', ')], { cause });
}

async function sendOnce(home: Home, { method, path, body }: ControlCall): Promise<IncomingMessage> {
  assertOwnSocket(home.controlSocket);
  const request = httpRequest({
    socketPath: home.controlSocket,
    method,
    path,
    headers: {
      'content-type': 'application/json',
      [CLIENT_HEADER]: toClientText(),
      [CONTROL_PROTOCOL_HEADER]: toRangeText(protocols.control),
    },
  });
  request.end(body === undefined ? undefined : JSON.stringify(body));
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  return response;
}

/** Nobody has heard the call, or it may be heard again: the supervisor may have been killed with the connection in its queue. */
function isUnheard(error: unknown, { method, isRepeatable = method === 'GET' }: ControlCall): boolean {
  const { code = '' } = error as NodeJS.ErrnoException;
  return ['ECONNREFUSED', 'ENOENT', 'EPIPE'].includes(code) || (isRepeatable && code === 'ECONNRESET');
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
