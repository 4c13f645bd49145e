import { state } from 'midflight';
import type { WebSocket } from 'ws';
import { describe, toMessage, type Message } from './message.ts';

const MESSAGES_KEPT = 100;

/** What was said lives on while the code around it is replaced, and in the next process. */
const conversations = state('conversations', () => new Map<string, Message[]>());

/** Who takes part lives on while the code is replaced. Connections are of one process; in the next one they join again. */
const members = state('members', () => new Map<string, Set<WebSocket>>(), { local: true });

export function join(room: string, socket: WebSocket): void {
  members.set(room, (members.get(room) ?? new Set()).add(socket));
}

export function leave(room: string, socket: WebSocket): void {
  members.get(room)?.delete(socket);
}

/** Keeps the message and sends it to everybody in the room, whichever version of the code they came in by. */
export function say(room: string, author: string, text: string): void {
  const message = toMessage(author, text);
  const said = [...(conversations.get(room) ?? []), message];
  conversations.set(room, said.slice(-MESSAGES_KEPT));
  for (const member of members.get(room) ?? []) member.send(JSON.stringify(message));
}

export function conversation(room: string): string[] {
  return (conversations.get(room) ?? []).map(describe);
}
