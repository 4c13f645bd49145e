import { Option } from 'commander';

/** `--sign <key>`, as often as there are keys. */
export function signOption(description: string): Option {
  return new Option('--sign <key>', description)
    .argParser((file: string, before: readonly string[]) => [...before, file])
    .default([], 'none');
}
