/** docs/reference/config.md has every key of the schema, no other, with its type, default and limits. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { z } from 'zod';
import { configSchema, parseConfig } from '../../src/release/config.ts';
import { readTable, readText } from './markdown.ts';

interface Property {
  readonly type: string;
  readonly enum?: readonly string[];
  readonly const?: string;
  readonly anyOf?: readonly Property[];
  readonly default?: unknown;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minItems?: number;
  readonly pattern?: string;
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, Property>>;
}

const text = readText('docs/reference/config.md');

test('the reference of the configuration has each key with its type, default and limits', () => {
  const root = z.toJSONSchema(configSchema, { io: 'input' }) as unknown as Property;
  assert.deepEqual(readTable(text, ['key', 'type', 'default', 'limits']), toRows(root, ''));
});

test('the reference of the configuration explains each key', () => {
  for (const key of Object.keys(configSchema.shape)) assert.ok(text.includes(`**\`${key}\`**`), key);
});

test('each example in the reference of the configuration is accepted', () => {
  const examples = [...text.matchAll(/^```json\n(.*?)^```/gms)].map(([, example = '']) => example);
  assert.ok(examples.length > 0);
  for (const example of examples) parseConfig(JSON.parse(example), 'example');
});

function toRows({ properties = {}, required = [] }: Property, prefix: string): Record<string, string>[] {
  return Object.entries(properties).flatMap(([name, property]) => {
    const row = {
      key: `\`${prefix}${name}\``,
      type: toType(property),
      default: property.default === undefined ? '–' : `\`${JSON.stringify(property.default)}\``,
      limits: toLimits(property, required.includes(name)),
    };
    return [row, ...toRows(property, `${prefix}${name}.`)];
  });
}

function toType(property: Property): string {
  if (property.anyOf !== undefined) return property.anyOf.map(toChoice).join(' or ');
  if (property.const !== undefined) return `\`"${property.const}"\``;
  if (property.enum !== undefined) return property.enum.map((value) => `\`"${value}"\``).join(' or ');
  return property.type === 'array' ? 'string[]' : property.type;
}

function toChoice(choice: Property): string {
  return choice.properties === undefined
    ? toType(choice)
    : `\`{ ${Object.keys(choice.properties).join(', ')} }\``;
}

function toLimits(property: Property, isRequired: boolean): string {
  return (property.anyOf ?? [property])
    .map((each) => toOwnLimits(each, isRequired))
    .filter((limits) => limits !== '')
    .join('; ');
}

function toOwnLimits({ minimum, maximum, minItems, pattern }: Property, isRequired: boolean): string {
  const limits = [
    isRequired ? 'required' : null,
    pattern?.startsWith(String.raw`^\/`) === true ? 'starts with `/`' : null,
    minItems === undefined ? null : `at least ${minItems} item${minItems === 1 ? '' : 's'}`,
    minimum === undefined ? null : `${minimum}–${maximum}`,
  ];
  return limits.filter((limit) => limit !== null).join(', ');
}
