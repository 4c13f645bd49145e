/** Lets the examples find the package `midflight` where they are; npm has no way of its own to install a package in itself. */

import { lstatSync, symlinkSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const link = fileURLToPath(new URL('../node_modules/midflight', import.meta.url));

if (lstatSync(link, { throwIfNoEntry: false }) === undefined) symlinkSync('..', link);
