// Prints the failed tests of a Vitest report, a line each: the file, a tab, the name.
import { readFileSync } from 'node:fs';
import { relative } from 'node:path';

const { testResults } = JSON.parse(readFileSync(process.argv[2], 'utf8'));
for (const { name, status, assertionResults } of testResults) {
  const failed = assertionResults.filter((test) => test.status === 'failed').map((test) => test.fullName);
  // A file that could not be loaded has no tests.
  if (failed.length === 0 && status === 'failed') failed.push('the whole file');
  for (const test of failed) console.log(`${relative(process.cwd(), name)}\t${test.replace(/\s+/g, ' ')}`);
}
