/** The order in which modules are evaluated, with and without top-level await, and what becomes of their errors. */

import { testAsInNode } from './native-oracle.ts';

testAsInNode({
  // 16.2.1.6.1.3.1 InnerModuleEvaluation
  'evaluation order is depth first': {
    'main.js': `import './a.js'; import './b.js'; import { log } from './log.js'; export { x } from './c.js'; export const result = [...log, 'main'];`,
    'a.js': `import './d.js'; import { log } from './log.js'; log.push('a');`,
    'b.js': `import './a.js'; import './d.js'; import { log } from './log.js'; log.push('b');`,
    'c.js': `import { log } from './log.js'; log.push('c'); export const x = 1;`,
    'd.js': `import './c.js'; import { log } from './log.js'; log.push('d');`,
    'log.js': `export const log = [];`,
  },
  // 16.2.1.6.1.3.4 AsyncModuleExecutionFulfilled
  'top-level await holds up importers, siblings run on': {
    'main.js': `import './a.js'; import './b.js'; import { log } from './log.js'; log.push('main'); export const result = log;`,
    'a.js': `import { log } from './log.js'; log.push('a1'); await null; await null; log.push('a2');`,
    'b.js': `import { log } from './log.js'; log.push('b1'); await null; log.push('b2'); for await (const x of [1]) log.push(x);`,
    'log.js': `export const log = [];`,
  },
  // 16.2.1.6.1.3.4 AsyncModuleExecutionFulfilled, step 9
  'modules that wait run in the order in which they were met': {
    'main.js': `import './x.js'; import './y.js'; import './z.js'; import { log } from './log.js'; export const result = log;`,
    'x.js': `import './wait.js'; import { log } from './log.js'; log.push('x');`,
    'y.js': `import './x.js'; import { log } from './log.js'; log.push('y'); await null; log.push('y2');`,
    'z.js': `import './wait.js'; import './y.js'; import { log } from './log.js'; log.push('z');`,
    'wait.js': `import { log } from './log.js'; await Promise.resolve(); log.push('w'); export {};`,
    'log.js': `export const log = [];`,
  },
  // 16.2.1.6.1.3.1 InnerModuleEvaluation, step 16: the cycle root
  'await in a cycle': {
    'main.js': `import { a } from './a.js'; await null; export const m = 1; export const result = a();`,
    'a.js': `import { b } from './b.js'; await b; export const a = () => [b, 'a'];`,
    'b.js': `import { m } from './main.js'; export const b = typeof (() => m);`,
  },
  // 16.2.1.6.1.3.1 InnerModuleEvaluation, step 12: ExecuteAsyncModule
  'a module that awaits begins at once': {
    'main.js': `const outcome = await import('./root.js').then(Object.keys, (e) => 'thrown: ' + e); await new Promise((resolve) => setImmediate(resolve)); export const result = [outcome, globalThis.ecma262log]; delete globalThis.ecma262log;`,
    'root.js': `import { log } from './log.js'; import './a.js'; import './b.js'; import './c.js'; log('root');`,
    'a.js': `import { log } from './log.js'; log('a1'); await null; await null; await null; log('a2');`,
    'b.js': `import { log } from './log.js'; log('b1'); await null; log('b2');`,
    'c.js': `import { log } from './log.js'; log('c');`,
    'log.js': `globalThis.ecma262log ??= []; export const log = (x) => { globalThis.ecma262log.push(x); };`,
  },
  // 16.2.1.6.1.3.3 GatherAvailableAncestors
  'two wait for one': {
    'main.js': `const outcome = await import('./root.js').then(Object.keys, (e) => 'thrown: ' + e); await new Promise((resolve) => setImmediate(resolve)); export const result = [outcome, globalThis.ecma262log]; delete globalThis.ecma262log;`,
    'root.js': `import { log } from './log.js'; import './a.js'; import './b.js'; log('root');`,
    'a.js': `import { log } from './log.js'; import './d.js'; log('a');`,
    'b.js': `import { log } from './log.js'; import './d.js'; log('b'); await 1; log('b2');`,
    'd.js': `import { log } from './log.js'; log('d1'); await null; await null; log('d2');`,
    'log.js': `globalThis.ecma262log ??= []; export const log = (x) => { globalThis.ecma262log.push(x); };`,
  },
  // 16.2.1.6.1.3.3 GatherAvailableAncestors
  'chains wait each for their own': {
    'main.js': `const outcome = await import('./root.js').then(Object.keys, (e) => 'thrown: ' + e); await new Promise((resolve) => setImmediate(resolve)); export const result = [outcome, globalThis.ecma262log]; delete globalThis.ecma262log;`,
    'root.js': `import { log } from './log.js'; import './a.js'; import './x.js'; log('root');`,
    'a.js': `import { log } from './log.js'; import './b.js'; log('a');`,
    'b.js': `import { log } from './log.js'; import './c.js'; log('b');`,
    'c.js': `import { log } from './log.js'; log('c1'); await null; log('c2');`,
    'x.js': `import { log } from './log.js'; import './y.js'; log('x');`,
    'y.js': `import { log } from './log.js'; log('y1'); await null; log('y2');`,
    'log.js': `globalThis.ecma262log ??= []; export const log = (x) => { globalThis.ecma262log.push(x); };`,
  },
  // 16.2.1.6.1.3.1 InnerModuleEvaluation, step 11
  'a cycle of modules that await': {
    'main.js': `const outcome = await import('./root.js').then(Object.keys, (e) => 'thrown: ' + e); await new Promise((resolve) => setImmediate(resolve)); export const result = [outcome, globalThis.ecma262log]; delete globalThis.ecma262log;`,
    'root.js': `import { log } from './log.js'; import './a.js'; import './c.js'; log('root');`,
    'a.js': `import { log } from './log.js'; import './b.js'; log('a');`,
    'b.js': `import { log } from './log.js'; import './a.js'; log('b1'); await null; log('b2');`,
    'c.js': `import { log } from './log.js'; import './b.js'; log('c');`,
    'log.js': `globalThis.ecma262log ??= []; export const log = (x) => { globalThis.ecma262log.push(x); };`,
  },
  // 16.2.1.6.1.3.1 InnerModuleEvaluation, step 11.c.iii
  'who imports a member of a cycle waits for its root': {
    'main.js': `const outcome = await import('./root.js').then(Object.keys, (e) => 'thrown: ' + e); await new Promise((resolve) => setImmediate(resolve)); export const result = [outcome, globalThis.ecma262log]; delete globalThis.ecma262log;`,
    'root.js': `import { log } from './log.js'; import './a.js'; import './s.js'; log('root');`,
    'a.js': `import { log } from './log.js'; import './b.js'; import './w.js'; log('a');`,
    'b.js': `import { log } from './log.js'; import './a.js'; log('b');`,
    'w.js': `import { log } from './log.js'; log('w1'); await null; await null; log('w2');`,
    's.js': `import { log } from './log.js'; import './b.js'; log('s');`,
    'log.js': `globalThis.ecma262log ??= []; export const log = (x) => { globalThis.ecma262log.push(x); };`,
  },
  // Node.js, ES modules: "Interoperability with CommonJS"
  'CommonJS runs in its place among them': {
    'main.js': `const outcome = await import('./root.js').then(Object.keys, (e) => 'thrown: ' + e); await new Promise((resolve) => setImmediate(resolve)); export const result = [outcome, globalThis.ecma262log]; delete globalThis.ecma262log;`,
    'root.js': `import { log } from './log.js'; import './c.cjs'; import './b.js'; import './d.cjs'; log('root');`,
    'b.js': `import { log } from './log.js'; log('b1'); await null; log('b2');`,
    'c.cjs': `const log = (x) => globalThis.ecma262log.push(x); log('c');`,
    'd.cjs': `const log = (x) => globalThis.ecma262log.push(x); log('d');`,
    'log.js': `globalThis.ecma262log ??= []; export const log = (x) => { globalThis.ecma262log.push(x); };`,
  },
  // 16.2 Modules: [+Await]; 14.7.5 for await; 14.3.1 await using
  'all forms of await at the top level': {
    'main.js': `const outcome = await import('./root.js').then(Object.keys, (e) => 'thrown: ' + e); await new Promise((resolve) => setImmediate(resolve)); export const result = [outcome, globalThis.ecma262log]; delete globalThis.ecma262log;`,
    'root.js': `import { log } from './log.js'; for await (const x of [1, Promise.resolve(2)]) log(x); await using d = { async [Symbol.asyncDispose]() { log('disposed'); } }; export const K = class { [await 'm']() {} static [await 'k'] = 1; }; log(Object.getOwnPropertyNames(K).join()); const { a = await 1 } = {}; log(\`\${await 2}\`); export let z = await 3; [z] = [await 5]; log(z); export const f = async () => await z; log(await f()); export { a };`,
    'log.js': `globalThis.ecma262log ??= []; export const log = (x) => { globalThis.ecma262log.push(x); };`,
  },
  // 16.2.1.6.1.3 Evaluate, step 3; [[EvaluationError]] is kept
  'a failed module fails for all its importers with one error': {
    'main.js': `const tried = (s) => import(s).then(() => 'fine', (e) => e); const [a, b, c] = [await tried('./a.js'), await tried('./bad.js'), await tried('./bad.js')]; export const result = [a.message, a === b, b === c];`,
    'a.js': `import './bad.js';`,
    'bad.js': `throw new Error('bad');`,
  },
  // 16.2.1.6.1.3.5 AsyncModuleExecutionRejected
  'a rejected top-level await fails its importers': {
    'main.js': `const tried = (s) => import(s).then(() => 'fine', (e) => e); const a = tried('./a.js'); const b = tried('./bad.js'); export const result = [(await a).message, (await a) === (await b)];`,
    'a.js': `import './bad.js';`,
    'bad.js': `await null; throw new Error('bad');`,
  },
  // 16.2.1.6.1.3 Evaluate, step 9
  'what is thrown may be anything, also nothing': {
    'main.js': `const r = async (s) => { try { await import(s); return 'fine'; } catch (e) { return ['thrown', String(e)]; } }; export const result = [await r('./a.js'), await r('./a.js'), await r('./b.js'), await r('./b.js')];`,
    'a.js': `throw undefined;`,
    'b.js': `await null; throw null;`,
  },
  // 16.2.1.6.1.3 Evaluate, step 9.b
  'an error in a cycle is that of all its members': {
    'main.js': `const tried = (s) => import(s).catch((e) => e); const a = await tried('./a.js'), b = await tried('./b.js'), c = await tried('./a.js'); export const result = [a === b, a === c, a.message, globalThis.ecma262count]; delete globalThis.ecma262count;`,
    'a.js': `import './b.js'; globalThis.ecma262count = (globalThis.ecma262count ?? 0) + 1; throw new Error('a');`,
    'b.js': `import './a.js'; export {};`,
  },
  // 16.2.1.6.1.3.5 AsyncModuleExecutionRejected
  'after an error what has begun goes on, and nothing else begins': {
    'main.js': `const outcome = await import('./root.js').then(Object.keys, (e) => 'thrown: ' + e); await new Promise((resolve) => setImmediate(resolve)); export const result = [outcome, globalThis.ecma262log]; delete globalThis.ecma262log;`,
    'root.js': `import { log } from './log.js'; import './p.js'; import './q.js'; log('root');`,
    'p.js': `import { log } from './log.js'; import './a.js'; log('p'); throw 'xp';`,
    'q.js': `import { log } from './log.js'; import './a.js'; log('q');`,
    'a.js': `import { log } from './log.js'; log('a1'); await null; await null; log('a2');`,
    'log.js': `globalThis.ecma262log ??= []; export const log = (x) => { globalThis.ecma262log.push(x); };`,
  },
  // 16.2.1.6.1.3.5 AsyncModuleExecutionRejected, step 1
  'of two that reject the first counts': {
    'main.js': `const outcome = await import('./root.js').then(Object.keys, (e) => 'thrown: ' + e); await new Promise((resolve) => setImmediate(resolve)); export const result = [outcome, globalThis.ecma262log]; delete globalThis.ecma262log;`,
    'root.js': `import { log } from './log.js'; import './a.js'; import './b.js'; log('root');`,
    'a.js': `import { log } from './log.js'; log('a'); await null; await null; throw 'xa';`,
    'b.js': `import { log } from './log.js'; log('b'); await null; throw 'xb';`,
    'log.js': `globalThis.ecma262log ??= []; export const log = (x) => { globalThis.ecma262log.push(x); };`,
  },
  // 16.2.1.6.1.3 Evaluate, step 9
  'an error is there at once, though others still wait': {
    'main.js': `const outcome = await import('./root.js').then(Object.keys, (e) => 'thrown: ' + e); await new Promise((resolve) => setImmediate(resolve)); export const result = [outcome, globalThis.ecma262log]; delete globalThis.ecma262log;`,
    'root.js': `import { log } from './log.js'; import './a.js'; import './b.js'; log('root');`,
    'a.js': `import { log } from './log.js'; log('a1'); await null; await null; log('a2');`,
    'b.js': `import { log } from './log.js'; log('b'); throw 'xb';`,
    'log.js': `globalThis.ecma262log ??= []; export const log = (x) => { globalThis.ecma262log.push(x); };`,
  },
  // Node.js, ES modules: import() of a failed module
  'CommonJS that throws throws the same again when it is imported': {
    'main.js': `const tried = (s) => import(s).catch((e) => e); const a = await tried('./a.cjs'), b = await tried('./a.cjs'); export const result = [a === b, a.message];`,
    'a.cjs': `throw new Error('a');`,
  },
});
