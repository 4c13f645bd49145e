/** WebSockets that send numbered messages at a steady rate without waiting for answers, and check every answer: its place in the row, and
 *  that the server has heard as many. */

import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { WebSocket } from 'ws';
import { Latencies, type Latency } from '../../scripts/load/latencies.ts';
import { serveGenerator, startGenerator, type Generator, type Windows } from './generator.ts';

export interface ConversationOptions {
  readonly origin: string;
  readonly count: number;
  /** Of all together. */
  readonly messagesPerSecond: number;
}

export interface ConversationOutcome {
  readonly opened: number;
  readonly closed: number;
  /** Answered by another process than the first. */
  readonly moved: number;
  readonly messages: number;
  readonly lost: number;
  readonly outOfOrder: number;
  /** From a message to its answer. */
  readonly answer: Readonly<Record<string, Latency>>;
}

const OPEN_AT_ONCE = 50;
const TICK_MS = 2;
/** What may still be on its way at the end. */
const LAST_ANSWERS_MS_MAX = 10_000;
const file = fileURLToPath(import.meta.url);

export async function startConversations(
  options: ConversationOptions,
): Promise<Generator<ConversationOutcome>> {
  return startGenerator(file, options);
}

interface Conversation {
  readonly socket: WebSocket;
  /** When each message that has no answer yet was sent, by `performance.now()`; the oldest first. */
  readonly pending: number[];
  answered: number;
  outOfOrder: number;
  readonly pids: Set<string>;
  isClosed: boolean;
}

function start({ origin, count, messagesPerSecond }: ConversationOptions): Generator<ConversationOutcome> {
  const conversations: Conversation[] = [];
  const answers = new Latencies();
  const stopping = new AbortController();
  const talking = open(origin, count, (conversation) => {
    conversations.push(conversation);
    conversation.socket.on('message', (data: Buffer) => note(conversation, data.toString(), answers));
  }).then(async () => talk(conversations, messagesPerSecond, stopping.signal));
  return {
    async stop(windows) {
      stopping.abort();
      const messages = await talking;
      await waitForAnswers(conversations);
      return toOutcome(conversations, answers, { windows, messages });
    },
  };
}

async function open(
  origin: string,
  count: number,
  onOpen: (conversation: Conversation) => void,
): Promise<void> {
  for (let opened = 0; opened < count; opened += OPEN_AT_ONCE) {
    const batch = Array.from({ length: Math.min(OPEN_AT_ONCE, count - opened) }, async () => {
      const socket = new WebSocket(origin.replace(/^http/, 'ws'), { perMessageDeflate: false });
      await once(socket, 'open');
      const conversation: Conversation = {
        socket,
        pending: [],
        answered: 0,
        outOfOrder: 0,
        pids: new Set(),
        isClosed: false,
      };
      // A reset: 'close' follows.
      socket.on('error', () => undefined);
      socket.on('close', () => (conversation.isClosed = true));
      onOpen(conversation);
    });
    await Promise.all(batch);
  }
}

/** One after the other, at the rate; gives how many messages were sent. */
async function talk(
  conversations: readonly Conversation[],
  messagesPerSecond: number,
  signal: AbortSignal,
): Promise<number> {
  const startedAt = performance.now();
  const sent = new Map<Conversation, number>();
  let turn = 0;
  let messages = 0;
  while (!signal.aborted) {
    const due = ((performance.now() - startedAt) * messagesPerSecond) / 1_000;
    for (; turn < due; turn++) {
      const conversation = conversations[turn % conversations.length];
      if (conversation === undefined || conversation.isClosed) continue;
      const number = (sent.get(conversation) ?? 0) + 1;
      sent.set(conversation, number);
      conversation.pending.push(performance.now());
      conversation.socket.send(String(number));
      messages++;
    }
    await sleep(TICK_MS);
  }
  return messages;
}

/** An answer is the message, how many the server has heard, and its process. */
function note(conversation: Conversation, text: string, answers: Latencies): void {
  const [number, heard, pid = ''] = text.split(' ');
  const expected = String(++conversation.answered);
  if (number !== expected || heard !== expected) conversation.outOfOrder++;
  conversation.pids.add(pid);
  answers.add(conversation.pending.shift() ?? Number.NaN);
}

async function waitForAnswers(conversations: readonly Conversation[]): Promise<void> {
  const deadline = performance.now() + LAST_ANSWERS_MS_MAX;
  const isWaiting = (): boolean =>
    conversations.some(({ pending, isClosed }) => pending.length > 0 && !isClosed);
  while (isWaiting() && performance.now() < deadline) await sleep(TICK_MS);
}

function toOutcome(
  conversations: readonly Conversation[],
  answers: Latencies,
  { windows, messages }: { windows: Windows; messages: number },
): ConversationOutcome {
  const sum = (toNumber: (conversation: Conversation) => number): number =>
    conversations.reduce((total, conversation) => total + toNumber(conversation), 0);
  return {
    opened: conversations.length,
    closed: sum(({ isClosed }) => Number(isClosed)),
    moved: sum(({ pids }) => Number(pids.size > 1)),
    messages,
    lost: sum(({ pending }) => pending.length),
    outOfOrder: sum(({ outOfOrder }) => outOfOrder),
    answer: answers.byWindow(windows),
  };
}

if (process.argv[1] === file) await serveGenerator(start);
