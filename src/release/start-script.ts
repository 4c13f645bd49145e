/** What `scripts.start` of a package.json says: the file that starts the app, and how Node is to run it. */

import path from 'node:path';

export interface StartScript {
  /** `NAME=value` before the command. */
  readonly environment: Readonly<Record<string, string>>;
  readonly nodeOptions: readonly string[];
  readonly entry: string;
  readonly args: readonly string[];
}

/** Runners of TypeScript and of files that change: what they do, Midflight does. Their options are not Node's. */
const otherRunners = new Set(['tsx', 'ts-node', 'ts-node-dev', 'nodemon', 'bun']);
const wrappers = new Set(['npx', 'cross-env', 'exec', 'env']);
/** Options of Node whose value may be the next word. */
const optionsWithValue = new Set([
  '-r',
  '--require',
  '--import',
  '--loader',
  '--experimental-loader',
  '--env-file',
  '--env-file-if-exists',
  '-C',
  '--conditions',
  '--title',
]);
const optionsOfDevelopment = /^--watch/;

/** Reads the last command of a start script; null when that is not a program that runs a file on Node. */
export function parseStartScript(script: string): StartScript | null {
  const words = toWords(script.split(/&&|\|\||;/).at(-1) ?? '');
  const environment: Record<string, string> = {};
  let word = words.shift();
  for (; word !== undefined; word = words.shift()) {
    const assignment = /^([A-Za-z_]\w*)=(.*)$/s.exec(word);
    if (assignment !== null) environment[assignment[1] ?? ''] = assignment[2] ?? '';
    else if (!wrappers.has(word)) break;
  }
  const program = path.basename(word ?? '');
  if (program !== 'node' && !otherRunners.has(program)) return null;
  // `tsx watch main.ts`
  if (program === 'tsx' && words[0] === 'watch') words.shift();
  const nodeOptions = takeOptions(words);
  const [entry, ...args] = words;
  if (entry === undefined) return null;
  return { environment, nodeOptions: program === 'node' ? nodeOptions : [], entry, args };
}

/** Removes the options at the head of `words` and returns them, each as one word. */
function takeOptions(words: string[]): string[] {
  const options: string[] = [];
  while (words[0]?.startsWith('-') === true) {
    const option = words.shift() ?? '';
    const value = optionsWithValue.has(option) ? words.shift() : undefined;
    if (optionsOfDevelopment.test(option)) continue;
    if (value === undefined) options.push(option);
    else options.push(...(option.startsWith('--') ? [`${option}=${value}`] : [option, value]));
  }
  return options;
}

/** Words as a shell splits them, without expansion. */
function toWords(command: string): string[] {
  const matches = command.matchAll(/(?:[^\s"']+|"[^"]*"|'[^']*')+/g);
  return [...matches].map(([word]) => word.replaceAll(/"([^"]*)"|'([^']*)'/g, '$1$2'));
}
