/** The events of `import.meta.hot.on`: one set for all modules of a process. Each is heard by modules that are current. */

import type { HotEventMap } from './hot-context.ts';

type Listener = (payload: never) => void;

interface Owned {
  readonly listener: Listener;
  readonly isCurrent: () => boolean;
  readonly run: (callback: () => void) => void;
}

export interface HotEvents {
  /** Adds a listener of a module; the returned function takes it away. */
  on(event: string, owned: Owned): () => void;
  /** Calls the listeners of modules that are current. What one throws is reported, and does not keep the others from it. */
  emit<Event extends keyof HotEventMap>(event: Event, payload: HotEventMap[Event]): void;
  emit(event: string, payload: unknown): void;
}

/** Makes the events; `inGeneration` calls listeners as code of the generation that is current. */
export function createHotEvents(inGeneration: (act: () => void) => void = (act) => act()): HotEvents {
  const owned = new Map<string, Set<Owned>>();
  return {
    on(event, entry) {
      const listeners = owned.get(event) ?? new Set();
      owned.set(event, listeners);
      listeners.add(entry);
      return () => void listeners.delete(entry);
    },
    emit(event: string, payload: unknown) {
      // A listener may add another.
      const listeners = [...(owned.get(event) ?? [])];
      for (const { listener, isCurrent, run } of listeners) {
        if (!isCurrent()) continue;
        try {
          inGeneration(() => run(() => listener(payload as never)));
        } catch (error) {
          console.error(`A listener of ${event} failed:`, error);
        }
      }
    },
  };
}
