/** What the types of `midflight/plugin` infer and refuse. The compiler is the test; what runs is only that a contract can be made. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { z } from 'zod';
import {
  definePlugin,
  fn,
  type Contracted,
  type Plugin,
  type PluginSet,
  type StandardSchema,
  type ThreadPlugin,
  type ThreadPluginSet,
} from '../../src/plugin.ts';

type Same<One, Other> = [One, Other] extends [Other, One] ? true : false;

function is<Expected>(): <Actual>(actual: Actual, same: Same<Actual, Expected>) => void {
  return () => undefined;
}

declare const plugin: Plugin;
declare const inThread: ThreadPlugin;
declare const threads: ThreadPluginSet<{
  readonly hello: typeof hello;
  readonly limit: StandardSchema<string, number>;
}>;
declare const set: PluginSet<{
  readonly hello: typeof hello;
  readonly limit: StandardSchema<string, number>;
}>;

const hello = fn<(name: string) => string>();
const checked = fn([z.coerce.number(), z.string()], z.boolean());

test('a contract says the type of what is looked up', () => {
  is<(name: string) => string>()(null as unknown as Contracted<typeof hello>, true);
  is<[unknown, string]>()(null as unknown as Parameters<Contracted<typeof checked>>, true);
  is<number>()(null as unknown as Contracted<StandardSchema<string, number>>, true);
  assert.deepEqual([hello.args, checked.args?.length], [null, 2]);
});

test('what is looked up is called as the contract says, and not otherwise', () => {
  const calls = (): void => {
    is<string>()(plugin.lookup('hello', hello)('Ada'), true);
    is<boolean>()(plugin.lookup('checked', checked)(1, 'a'), true);
    is<string>()(plugin.lookup('name', z.string()), true);
    is<string | undefined>()(set.get('a')?.exports.hello('Ada'), true);
    for (const each of set) is<number>()(each.exports.limit, true);
    // @ts-expect-error It takes a text.
    plugin.lookup('hello', hello)(1);
    // @ts-expect-error It takes two arguments.
    plugin.lookup('checked', checked)(1);
    // @ts-expect-error No such event.
    plugin.on('swapped', () => undefined);
    plugin.on('rejected', ({ error }) => is<Error>()(error, true));
  };
  assert.equal(typeof calls, 'function');
});

test('what is looked up in a thread answers later', () => {
  const calls = (): void => {
    is<Promise<string>>()(inThread.lookup('hello', hello)('Ada'), true);
    is<Promise<string>>()(inThread.lookup('later', fn<() => Promise<string>>())(), true);
    is<string>()(inThread.lookup('name', z.string()), true);
    is<Promise<string> | undefined>()(threads.get('a')?.exports.hello('Ada'), true);
    for (const each of threads) is<number>()(each.exports.limit, true);
    // @ts-expect-error It takes a text.
    void inThread.lookup('hello', hello)(1);
  };
  assert.equal(typeof calls, 'function');
});

test('a definition is held to what there is', () => {
  is<string>()(definePlugin({ name: 'greet', setup: () => ({ a: 1 }) }).name, true);
  // @ts-expect-error It is called "requires".
  definePlugin({ require: {} });
  definePlugin({ setup: ({ plugins, signal }) => [plugins['a']?.version, signal.aborted] });
});
