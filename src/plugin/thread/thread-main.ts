/** The main file of a plugin's thread: runs one version, as it would run in the host's own thread, and answers the host. */

import { parentPort } from 'node:worker_threads';
import { MidflightError } from '../../errors.ts';
import { collectGarbage } from '../../runtime/collect-garbage.ts';
import { createOwnStates } from '../../runtime/state.ts';
import type { Found } from '../contract.ts';
import { evaluateInProcess } from '../in-process-version.ts';
import type { RunningVersion } from '../running-version.ts';
import { fromCarried } from './carried-release.ts';
import { findCloneProblem } from './copied-error.ts';
import { createExchange } from './exchange.ts';
import { createRequiredPlugins, type RequiredPlugins } from './required-plugins.ts';
import type { HostSide, Start, ThreadSide } from './sides.ts';

parentPort?.once('message', (start: Start) => {
  const thread = createThread(start);
  // Only the exchange keeps the thread up from now on.
  parentPort?.unref();
  required = createRequiredPlugins({
    sync: start.sync,
    exchange: createExchange<ThreadSide, HostSide>({
      port: start.port,
      own: thread,
      isUnref: false,
      onUncopied: (kind, [name], problem) =>
        new MidflightError('ERR_MIDFLIGHT_PLUGIN_RESULT_INVALID', [
          kind === 'call' ? `${String(name)}() of plugin ${start.release.name}` : kind,
          `it can't be copied to another thread (${problem})`,
        ]),
    }),
  });
});

let required: RequiredPlugins;

function createThread({ release, number }: Start): ThreadSide {
  const states = createOwnStates();
  let version: RunningVersion;
  return {
    async evaluate(early) {
      states.receive(early, { isEarly: true });
      version = await evaluateInProcess({
        release: fromCarried(release),
        states,
        number,
        isBounded: true,
      });
      return { version: version.version, requires: version.requires };
    },
    async setUp(names) {
      await version.setUp(required.open(names));
      return version.names.map((name) => [name, toTold(version.find(name))]);
    },
    // Plain functions, called as in one thread; an answer that comes later is waited for by the exchange.
    call: (name, ...values) => version.toCall(name)(...values),
    wanted: () => states.wanted(),
    hasStates: () => states.names().length > 0,
    encode(wanted, isLast) {
      if (isLast) version.pause();
      return Array.from(states.encode(wanted), ({ encode }) => encode());
    },
    commit(received) {
      const [problem] = states.receive(received, { isEarly: false });
      if (problem !== undefined) throw problem.error;
      version.commit();
    },
    pause: () => version.pause(),
    goBack: () => version.goBack(),
    prove: () => version.prove(),
    ping: () => undefined,
    collect: async () => collectGarbage(),
    end: async () => version.end(0),
    event: (...told) => required.tell(...told),
  };
}

function toTold(found: Found): Found {
  if (found.kind !== 'value') return found;
  const problem = findCloneProblem(found.value);
  return problem === null ? found : { kind: 'uncopied', problem };
}
