/**
 * States of others in the process, those of plugins, which go to the next process with the app's own. Owns who they are, and what
 * has come from another process for those that are not here yet.
 */

import type { EncodedState } from './state-entry.ts';
import type { StateEncoding, StateProblem, StateRegistry, WantedStates } from './state.ts';

/** A registry that others can pass theirs along with. */
export interface HostRegistry extends StateRegistry {
  /** From now on they go where this registry's go, each by a name of `guest`. The returned function ends that.
   *  Nothing where there is one of that name already. */
  admit(guest: string, states: StateRegistry): () => void;
}

interface Waiting {
  readonly state: EncodedState;
  readonly isEarly: boolean;
}

const toName = (guest: string, name: string): string => `plugin ${guest}: ${name}`;
const toGuest = (name: string): string | null => /^plugin (.+?): /.exec(name)?.[1] ?? null;
const toOwn = (guest: string, name: string): string => name.slice(toName(guest, '').length);

export function withGuests(own: StateRegistry): HostRegistry {
  const guests = new Map<string, StateRegistry>();
  const waiting = new Map<string, Waiting>();

  function* encode(wanted: WantedStates): Iterable<StateEncoding> {
    yield* own.encode(new Map([...wanted].filter(([name]) => toGuest(name) === null)));
    for (const [guest, states] of guests) {
      const ofGuest = [...wanted].filter(([name]) => toGuest(name) === guest);
      for (const encoding of states.encode(
        new Map(ofGuest.map(([name, version]) => [toOwn(guest, name), version])),
      )) {
        const name = toName(guest, encoding.name);
        yield { name, encode: () => ({ ...encoding.encode(), name }) };
      }
    }
    for (const [name, { state }] of waiting) yield { name, encode: () => state };
  }

  function receive(
    all: readonly EncodedState[],
    { isEarly }: { readonly isEarly: boolean },
  ): readonly StateProblem[] {
    for (const [name, state] of waiting) if (state.isEarly) waiting.delete(name);
    const problems = [
      ...own.receive(
        all.filter(({ name }) => toGuest(name) === null),
        { isEarly },
      ),
    ];
    for (const state of all) {
      const guest = toGuest(state.name);
      if (guest !== null && !guests.has(guest)) waiting.set(state.name, { state, isEarly });
    }
    for (const [guest, states] of guests) {
      const ofGuest = all.filter(({ name }) => toGuest(name) === guest);
      const toThem = ofGuest.map((state) => ({ ...state, name: toOwn(guest, state.name) }));
      for (const { name, error } of states.receive(toThem, { isEarly }))
        problems.push({ name: toName(guest, name), error });
    }
    return problems;
  }

  return {
    admit(guest, states) {
      if (guests.has(guest)) return () => undefined;
      guests.set(guest, states);
      for (const isEarly of [true, false]) {
        const come = [...waiting].filter(
          ([name, each]) => toGuest(name) === guest && each.isEarly === isEarly,
        );
        for (const [name] of come) waiting.delete(name);
        states.receive(
          come.map(([name, { state }]) => ({ ...state, name: toOwn(guest, name) })),
          { isEarly },
        );
      }
      return () => guests.delete(guest);
    },
    state: (...values) => own.state(...values),
    commit: (scope) => own.commit(scope),
    abort: (scope) => own.abort(scope),
    goBack: (scope) => own.goBack(scope),
    settle: () => own.settle(),
    wanted: () =>
      new Map([
        ...own.wanted(),
        ...[...guests].flatMap(([guest, states]) =>
          [...states.wanted()].map(([name, version]): [string, number | null] => [
            toName(guest, name),
            version,
          ]),
        ),
      ]),
    encode,
    receive,
    names: () => [
      ...own.names(),
      ...[...guests].flatMap(([guest, states]) => states.names().map((name) => toName(guest, name))),
      ...waiting.keys(),
    ],
    dispose: () => own.dispose(),
  };
}
