/** What a compiler says of modules that are replaced in place: whether importers that stay can take them. Found outside of a plan. */

import type { Reason } from './reason.ts';

export interface TypeFindings {
  readonly misfits: readonly TypeMisfit[];
  /** Null where all of them were checked. */
  readonly unchecked: { readonly reason: string; readonly paths: readonly string[] } | null;
}

export interface TypeMisfit {
  readonly path: string;
  /** Of the export. */
  readonly name: string;
  /** What the compiler says. */
  readonly message: string;
}

/** More would hide what else is said. */
const MESSAGE_LINES_MAX = 4;
const LINE_LENGTH_MAX = 200;

/** One reason for each export that importers can't take; with `isHandoff`, by new processes, in which all is evaluated. */
export function misfitsOf(types: TypeFindings | null, isHandoff: boolean): readonly Reason[] {
  return (types?.misfits ?? []).map(({ path, name, message }) => {
    const what = shorten(message);
    const rejection: Reason = {
      code: 'MF3002',
      path: 'rejected',
      message: `${path} is replaced in place, and what imports it can't take the new "${name}": ${what}`,
    };
    if (isHandoff) return { ...rejection, path: 'handoff' };
    const fix = `give "${name}" a type that users of the old one can take, or ask for --path handoff; "allow": ["MF3002"] in "policy" has new processes take over by itself`;
    return { ...rejection, fix };
  });
}

/** A compiler begins with the whole, and comes to what is wrong with it last. */
function shorten(message: string): string {
  const [head = '', ...rest] = message.split('\n').map((line) => line.slice(0, LINE_LENGTH_MAX));
  const tail = rest.slice(1 - MESSAGE_LINES_MAX);
  return [head, ...(tail.length < rest.length ? ['  …'] : []), ...tail].join('\n');
}
