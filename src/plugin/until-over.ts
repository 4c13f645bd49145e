/** Something prepared, which somebody waits for until it is committed or aborted. */

import type { Prepared } from './shared-options.ts';

/** The same; `onOver` is called when it is the one or the other. An abort after the commit changes nothing. */
export function untilOver(prepared: Prepared, onOver: () => void): Prepared {
  let isCommitted = false;
  return {
    running: prepared.running,
    ready: prepared.ready,
    commit() {
      const undo = prepared.commit();
      isCommitted = true;
      onOver();
      return undo;
    },
    async abort() {
      if (!isCommitted) await prepared.abort();
      onOver();
    },
  };
}
