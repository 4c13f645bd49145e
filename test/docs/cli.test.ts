/** docs/reference/cli.md has every verb of the command line, no other, with its arguments, flags and defaults. */

import { Command, type Option } from 'commander';
import assert from 'node:assert/strict';
import { globSync } from 'node:fs';
import { test } from 'node:test';
import { plain, readSection, readTable, readText } from './markdown.ts';

const text = readText('docs/reference/cli.md');
const documented = [...text.matchAll(/^## `midflight ((?:plugin )?[\w-]+)( .*)?`$/gm)].map(
  ([heading, verb = '', usage = '']) => ({
    verb,
    usage: usage.trim(),
    section: readSection(text, heading),
  }),
);

const program = new Command('midflight').enablePositionalOptions();
for (const file of globSync('*.ts', { cwd: new URL('../../src/cli', import.meta.url) }).toSorted()) {
  // These run, with what this test was started with.
  if (file.endsWith('main.ts')) continue;
  const loaded = (await import(`../../src/cli/${file}`)) as Record<string, unknown>;
  for (const [name, add] of Object.entries(loaded)) {
    if (/^add[A-Z]/.test(name)) (add as (program: Command) => void)(program);
  }
}

/** Every verb, and each of those that have verbs of their own. */
const verbs = program.commands.flatMap((command) =>
  command.commands.length === 0
    ? [{ name: command.name(), command }]
    : command.commands.map((inner) => ({ name: `${command.name()} ${inner.name()}`, command: inner })),
);

test('the reference of the command line has each verb with its arguments', () => {
  const expected = verbs.map(({ name, command }) => `${name} ${toUsage(command)}`.trim());
  assert.deepEqual(
    documented.map(({ verb, usage }) => `${verb} ${usage}`.trim()).toSorted(),
    expected.toSorted(),
  );
});

test('each verb is part of the program', () => {
  const [, listed = ''] = /^const verbs.*?\{\n(.*?)^\};/ms.exec(readText('src/cli/main.ts')) ?? [];
  const added = [...listed.matchAll(/^ {2}'?([\w-]+)'?: .* import\('\.\/([\w-]+)\.ts'\)/gm)];
  for (const [, verb, file] of added) assert.equal(verb, file);
  assert.deepEqual(
    added.map(([, verb = '']) => verb).toSorted(),
    program.commands.map((command) => command.name()).toSorted(),
  );
});

for (const { verb, section } of documented) {
  test(`the reference of ${verb} has each flag with its default`, () => {
    const options = verbs.find(({ name }) => name === verb)?.command.options ?? [];
    const expected = options.map((option) => ({ flag: option.flags, default: toDefault(option) }));
    const rows = readTable(section, ['flag', 'default']);
    assert.deepEqual(
      rows.map((row) => ({ flag: plain(row['flag'] ?? ''), default: plain(row['default'] ?? '') })),
      expected,
    );
  });
}

test('the reference names each choice of a flag', () => {
  for (const { verb, section } of documented) {
    const options = verbs.find(({ name }) => name === verb)?.command.options ?? [];
    for (const choice of options.flatMap(({ argChoices }) => argChoices ?? [])) {
      assert.ok(section.includes(`\`${choice}\``), `${verb}: ${choice}`);
    }
  }
});

function toUsage({ registeredArguments }: Command): string {
  return registeredArguments
    .map((argument) => {
      const name = `${argument.name()}${argument.variadic ? '...' : ''}`;
      return argument.required ? `<${name}>` : `[${name}]`;
    })
    .join(' ');
}

function toDefault(option: Option): string {
  const value: unknown = option.defaultValue;
  return typeof value === 'string' || typeof value === 'number' ? String(value) : 'off';
}
