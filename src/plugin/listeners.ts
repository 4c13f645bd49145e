/** Who listens to events that others have, too. Each runs as the code that has added it, whoever causes the event: what it starts
 *  in an app belongs to its own generation. */

import { AsyncLocalStorage } from 'node:async_hooks';
import type { EventEmitter } from 'node:events';

type Listener = (...values: never[]) => void;

interface Added {
  readonly event: string;
  readonly listener: Listener;
  readonly bound: Listener;
}

export class Listeners {
  readonly #events: Pick<EventEmitter, 'on' | 'off'>;
  readonly #added: Added[] = [];

  constructor(events: object) {
    this.#events = events as EventEmitter;
  }

  add(event: string, listener: Listener): void {
    const bound = AsyncLocalStorage.bind(listener);
    this.#events.on(event, bound as Parameters<EventEmitter['on']>[1]);
    this.#added.push({ event, listener, bound });
  }

  remove(event: string, listener: Listener): void {
    const isIt = (each: Added): boolean => each.event === event && each.listener === listener;
    const index = this.#added.findLastIndex(isIt);
    for (const each of index === -1 ? [] : this.#added.splice(index, 1)) this.#take(each);
  }

  removeAll(): void {
    for (const each of this.#added.splice(0)) this.#take(each);
  }

  #take({ event, bound }: Added): void {
    this.#events.off(event, bound as Parameters<EventEmitter['off']>[1]);
  }
}
