/**
 * Random module graphs for fast-check, some of CommonJS among them. A module has the exports `l` (let, written again), `f` (hoisted), `c` (class), `v` (var)
 * and `t` (what it has seen), each with the module's number, a default, and perhaps `x`, of which stars may give two. It tells
 * the global `see` what it reads when.
 */

import * as fc from 'fast-check';
import type { Files } from './module-graph-fixture.ts';

export interface ModuleShape {
  /** CommonJS requires none but CommonJS: what else it may require, Node restricts more. */
  readonly isCommonJs: boolean;
  readonly requests: readonly RequestShape[];
  readonly steps: readonly StepShape[];
  /** How many steps come before the module's own declarations. */
  readonly declaredAt: number;
  readonly exportsX: boolean;
  readonly fallback: (typeof fallbacks)[number];
}

export interface RequestShape {
  readonly form: (typeof forms)[number];
  readonly target: number;
  /** Whose export is asked for: mostly the target's own, else one that the target may have by a star. */
  readonly owner: number | null;
  readonly name: (typeof names)[number];
}

export interface StepShape {
  readonly kind: (typeof kinds)[number];
  readonly request: number;
}

const forms = [
  'named',
  'named',
  'named',
  'namespace',
  'namespace',
  'default',
  'bare',
  'star',
  'starAs',
  'again',
] as const;
const names = ['l', 'f', 'c', 'v', 'x'] as const;
const kinds = [
  'read',
  'read',
  'read',
  'call',
  'member',
  'computed',
  'keys',
  'write',
  'assign',
  'await',
  'throw',
] as const;
const fallbacks = ['function', 'arrow', 'class', 'value', 'named'] as const;

const request: fc.Arbitrary<RequestShape> = fc.record({
  form: fc.constantFrom(...forms),
  target: fc.nat(7),
  owner: fc.oneof({ weight: 12, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: fc.nat(7) }),
  name: fc.oneof(
    { weight: 20, arbitrary: fc.constantFrom('l', 'f', 'c', 'v') },
    { weight: 1, arbitrary: fc.constant('x') },
  ),
});

const shape: fc.Arbitrary<ModuleShape> = fc.record({
  isCommonJs: fc.integer({ min: 0, max: 5 }).map((number) => number === 5),
  requests: fc.array(request, { maxLength: 4 }),
  steps: fc.array(fc.record({ kind: fc.constantFrom(...kinds), request: fc.nat(3) }), { maxLength: 5 }),
  declaredAt: fc.nat(5),
  exportsX: fc.boolean(),
  fallback: fc.constantFrom(...fallbacks),
});

/** Two to eight modules; throwing ones are rare, as they end the trace. */
export const moduleShapes: fc.Arbitrary<ModuleShape[]> = fc
  .tuple(fc.array(shape, { minLength: 2, maxLength: 8 }), fc.option(fc.nat(7), { freq: 3 }))
  .map(([shapes, thrower]) => shapes.map((each, index) => (index === thrower ? each : withoutThrow(each))));

/** One module, for an edit. */
export const oneModule: fc.Arbitrary<ModuleShape> = shape;

/** The sources, by name; `m0.js` is the entry. Their syntax says what is CommonJS. */
export function toFiles(shapes: readonly ModuleShape[]): Files {
  const sources = shapes.map((_, index) => [`m${index}.js`, toSource(shapes, index)]);
  return { 'package.json': '{}', ...(Object.fromEntries(sources) as Files) };
}

function withoutThrow(each: ModuleShape): ModuleShape {
  return { ...each, steps: each.steps.filter(({ kind }) => kind !== 'throw') };
}

/** The source of the module at `index`. */
export function toSource(shapes: readonly ModuleShape[], index: number): string {
  const own = shapes[index];
  if (own === undefined) return '';
  return own.isCommonJs ? toCommonJs(shapes, own, index) : toEsm(own, index, shapes.length);
}

function toCommonJs(shapes: readonly ModuleShape[], own: ModuleShape, index: number): string {
  const { requests, steps, declaredAt, exportsX } = own;
  const count = shapes.length;
  const required = requests.flatMap(({ target }, position) =>
    shapes[target % count]?.isCommonJs === true ? [{ local: `i${position}`, target: target % count }] : [],
  );
  const lines = steps.map(({ kind, request: at }, position) => {
    const tag = `'${index} ${position} ${kind}'`;
    if (kind === 'throw') return `if (${index} >= 0) throw 'thrown by ${index}';`;
    if (kind === 'assign') return `see(${tag}, () => (exports.l${index} += 1));`;
    const { local, target } = required[at % Math.max(required.length, 1)] ?? {
      local: 'exports',
      target: index,
    };
    return kind === 'keys'
      ? `see(${tag}, () => Object.keys(${local}));`
      : `see(${tag}, () => ${local}.v${target});`;
  });
  const reads = required.map(({ local, target }) => `show(() => ${local}.l${target}, depth)`);
  return [
    `see('${index} begins');`,
    ...required.map(({ local, target }) => `const ${local} = require('./m${target}.js');`),
    ...lines.slice(0, declaredAt),
    `exports.l${index} = ${index}; exports.c${index} = class c${index} {}; exports.v${index} = 'v${index}'; exports.t${index} = [];`,
    `exports.f${index} = function f${index}(depth = 0) { return '(' + [${reads.join()}] + ')'; };`,
    exportsX ? `exports.x = 'x${index}';` : '',
    ...lines.slice(declaredAt),
    `see('${index} ends');`,
    '',
  ].join('\n');
}

function toEsm(
  { requests, steps, declaredAt, exportsX, fallback }: ModuleShape,
  index: number,
  count: number,
): string {
  const imports = requests.map((each, position) => toImport(each, { index, position, count }));
  const locals = requests.flatMap(({ form }, position) => (isLocal(form) ? [`i${position}`] : []));
  const lines = steps.map((each, position) => toStep(each, { index, position, requests, count }));
  const kept = `export const t${index} = [];`;
  const reads = locals.map((local) => `show(() => ${local}, depth)`);
  return [
    ...imports,
    `${kept} see('${index} begins');`,
    ...lines.slice(0, declaredAt),
    `export let l${index} = ${index}; export class c${index} {} export var v${index} = 'v${index}';`,
    `export function f${index}(depth = 0) { return '(' + [${reads.join()}] + ')'; }`,
    exportsX ? `export const x = 'x${index}';` : '',
    toDefault(fallback, index),
    ...lines.slice(declaredAt),
    `see('${index} ends');`,
    '',
  ].join('\n');
}

interface ImportPlace {
  readonly index: number;
  readonly position: number;
  readonly count: number;
}

function toImport(
  { form, target, owner, name }: RequestShape,
  { index, position, count }: ImportPlace,
): string {
  const to = target % count;
  const from = `'./m${to}.js'`;
  const exported = name === 'x' ? 'x' : `${name}${(owner ?? to) % count}`;
  switch (form) {
    case 'named':
      return `import { ${exported} as i${position} } from ${from};`;
    case 'namespace':
      return `import * as i${position} from ${from};`;
    case 'default':
      return `import i${position} from ${from};`;
    case 'bare':
      return `import ${from};`;
    case 'star':
      return `export * from ${from};`;
    case 'starAs':
      return `export * as s${index}_${position} from ${from};`;
    case 'again':
      return `export { ${exported} as r${index}_${position} } from ${from};`;
  }
}

function isLocal(form: RequestShape['form']): boolean {
  return form === 'named' || form === 'namespace' || form === 'default';
}

interface StepPlace extends ImportPlace {
  readonly requests: readonly RequestShape[];
}

function toStep({ kind, request: at }: StepShape, { index, position, requests, count }: StepPlace): string {
  const asked = requests[at];
  const local = asked !== undefined && isLocal(asked.form) ? `i${at}` : null;
  const tag = `'${index} ${position} ${kind}'`;
  const own = `l${index}`;
  const keep = `t${index}.push(`;
  if (kind === 'assign') return `${keep}see(${tag}, () => (${own} = ${own} + 1)));`;
  if (kind === 'await') return `${'await null; '.repeat(1 + (at % 3))}see(${tag});`;
  if (kind === 'throw') return `if (${index} >= 0) throw 'thrown by ${index}';`;
  if (local === null) return `${keep}see(${tag}, () => f${index}()));`;
  const member = `${asked?.name === 'x' ? 'x' : `${asked?.name}${(asked?.owner ?? asked?.target ?? 0) % count}`}`;
  switch (kind) {
    case 'read':
      return `${keep}see(${tag}, () => ${local}));`;
    case 'call':
      return `${keep}see(${tag}, () => ${local}.${member}()));`;
    case 'member':
      return `${keep}see(${tag}, () => ${local}.${member}));`;
    case 'computed':
      return `${keep}see(${tag}, () => ${local}['${member}']));`;
    case 'keys':
      return `${keep}see(${tag}, () => Object.keys(${local}).join()));`;
    case 'write':
      return `${keep}see(${tag}, () => (${local}.${member} = 1)));`;
  }
}

function toDefault(fallback: ModuleShape['fallback'], index: number): string {
  switch (fallback) {
    case 'function':
      return `export default function () { return 'd${index}'; }`;
    case 'arrow':
      return `export default () => 'd${index}';`;
    case 'class':
      return `export default class {}`;
    case 'value':
      return `export default 'd${index}';`;
    case 'named':
      return `export default function d${index}() { return l${index}; }`;
  }
}

/** What the modules of one run have said. */
export interface Trace {
  readonly lines: string[];
  /** Takes the two globals away. */
  readonly end: () => void;
}

/** Puts `see` and `show` on the global object. */
export function startTrace(): Trace {
  const lines: string[] = [];
  const see = (tag: string, read?: () => unknown): string => {
    const line = read === undefined ? tag : `${tag}: ${show(read, 0)}`;
    lines.push(line);
    return line;
  };
  Object.assign(globalThis, { see, show });
  return {
    lines,
    end: () => {
      Object.assign(globalThis, { see: () => undefined });
    },
  };
}

const DEPTH_MAX = 2;

/** A value, or the name of the error there is instead; a function is called. */
export function show(read: () => unknown, depth: number): string {
  try {
    const value = read();
    if (typeof value === 'function') {
      const isPlain = !String(value).startsWith('class');
      const text =
        isPlain && depth < DEPTH_MAX ? `=${String((value as (next: number) => unknown)(depth + 1))}` : '';
      return `${value.name}${text}`;
    }
    if (Object.prototype.toString.call(value) === '[object Module]')
      return `ns ${Object.getOwnPropertyNames(value).join()}`;
    return String(value);
  } catch (error) {
    return error instanceof Error ? error.name : String(error);
  }
}
