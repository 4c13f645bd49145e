import { state } from 'midflight';
import type { WebSocket } from 'ws';
import { describe, toMessage, type Message } from './message.ts';

const MESSAGES_KEPT = 100;

interface Room {
  readonly messages: Message[];
  readonly members: Set<WebSocket>;
}

/** Lives on while the code around it is replaced: the conversation, and who takes part in it. */
const rooms = state('rooms', () => new Map<string, Room>());

function open(name: string): Room {
  const room = rooms.get(name) ?? { messages: [], members: new Set<WebSocket>() };
  rooms.set(name, room);
  return room;
}

export function join(name: string, socket: WebSocket): void {
  open(name).members.add(socket);
}

export function leave(name: string, socket: WebSocket): void {
  open(name).members.delete(socket);
}

/** Keeps the message and sends it to everybody in the room, whichever version of the code they came in by. */
export function say(name: string, author: string, text: string): void {
  const { messages, members } = open(name);
  const message = toMessage(author, text);
  messages.push(message);
  messages.splice(0, messages.length - MESSAGES_KEPT);
  for (const member of members) member.send(JSON.stringify(message));
}

export function conversation(name: string): string[] {
  return open(name).messages.map(describe);
}
