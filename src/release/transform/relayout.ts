/**
 * oxc prints TypeScript anew, with its own line breaks. This puts what it printed back on the lines of the source, so that
 * stack traces, breakpoints and coverage are right without a source map (Node reads none for `vm.compileFunction`).
 * Only white space and comments change. Where the order of the source could not be kept, a line may be late.
 */

import remapping, { type SourceMapInput } from '@jridgewell/remapping';
import MagicString from 'magic-string';
import { eachChild, parse, type Node } from './ast.ts';

export interface Printed {
  readonly path: string;
  readonly code: string;
  readonly map: SourceMapInput;
  readonly sourceType: 'module' | 'commonjs';
}

/** A place in the printed code of which the source line (from 0) is known. */
interface Anchor {
  readonly offset: number;
  readonly line: number;
}

/** So many places ahead are looked at for code that was moved: a constructor's properties come before the fields. */
const LOOK_AHEAD = 8;

const CODE = 0;
const TEXT = 1;
const COMMENT = 2;

/** Lays printed code out on the lines of its source. The result's own map leads to the printed code. */
export function relayout(printed: Printed): MagicString {
  const { path, code, sourceType } = printed;
  const { program, comments } = parse({ path, source: code, sourceType });
  const kinds = new Uint8Array(code.length + 1);
  markTexts(program, kinds);
  const result = new MagicString(code);
  for (const { start, end } of [...comments, ...(program.hashbang === null ? [] : [program.hashbang])]) {
    kinds.fill(COMMENT, start, end);
    result.update(start, end, ' ');
  }
  placeLines({ code, kinds, result, anchors: findAnchors(printed, kinds) });
  return result;
}

/** What is inside of literals and templates is not white space, whatever it looks like. */
function markTexts(node: Node, kinds: Uint8Array): void {
  if (node.type === 'TemplateElement' || node.type === 'Literal') kinds.fill(TEXT, node.start + 1, node.end);
  eachChild(node, (child) => markTexts(child, kinds));
}

function findAnchors({ code, map }: Printed, kinds: Uint8Array): Anchor[] {
  const { mappings } = remapping(map, () => null, { decodedMappings: true });
  const anchors: Anchor[] = [];
  let lineStart = 0;
  for (const segments of mappings as unknown as (readonly number[])[][]) {
    for (const [column = 0, , line] of segments) {
      const offset = lineStart + column;
      if (line !== undefined && kinds[offset] === CODE) anchors.push({ offset, line });
    }
    const lineEnd = code.indexOf('\n', lineStart);
    if (lineEnd === -1) break;
    lineStart = lineEnd + 1;
  }
  return anchors;
}

interface Placement {
  readonly code: string;
  readonly kinds: Uint8Array;
  readonly result: MagicString;
  readonly anchors: readonly Anchor[];
}

function placeLines({ code, kinds, result, anchors }: Placement): void {
  let line = 0;
  let offset = 0;
  for (const [index, anchor] of [...anchors, { offset: code.length, line: 0 }].entries()) {
    let isAfterBreak = offset === 0;
    for (; offset < anchor.offset; offset += 1) {
      const character = code[offset];
      if (character === '\n' && kinds[offset] === TEXT) line += 1;
      else if (character === '\n' && kinds[offset] === CODE) {
        result.update(offset, offset + 1, ' ');
        isAfterBreak = true;
      } else if (kinds[offset] === COMMENT) continue;
      else if (character !== ' ' && character !== '\t') isAfterBreak = mayBreakAfter.has(character ?? '');
    }
    const target = targetLine(anchors, index, line);
    if (target <= line || !isAfterBreak) continue;
    result.appendRight(anchor.offset, '\n'.repeat(target - line));
    line = target;
  }
}

/** After these no automatic semicolon can come in, and none is needed. */
const mayBreakAfter = new Set(['{', '(', '[', ',', ';']);

/** The line to go to: not past one that code shortly after this belongs to and can still be put on. */
function targetLine(anchors: readonly Anchor[], index: number, current: number): number {
  let target = anchors[index]?.line ?? 0;
  for (const { line } of anchors.slice(index + 1, index + LOOK_AHEAD))
    if (line > current) target = Math.min(target, line);
  return target;
}
