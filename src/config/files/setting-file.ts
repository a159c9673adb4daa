import { readFileSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { ConfigurationError } from '../configuration-error.js';
import { SettingFiles } from '../reload/setting.files.js';

const maxFileBytes = 4 * 1024 * 1024;

/** @param setting path of the setting in messages. @throws ConfigurationError when the file cannot be read */
export function readSettingFile(file: string, setting: string): string {
  SettingFiles.note(file, setting);
  try {
    // It is read again whenever it changes; a FIFO could keep the process waiting for ever.
    if (setting === '--access-file' && !statSync(file).isFile()) throw new Error('it is not a regular file');
    const text = readFileSync(file);
    if (text.length > maxFileBytes) throw new Error('the file is larger than 4 MiB');
    return text.toString('utf8');
  } catch (error) {
    const reason = error instanceof Error ? error.message.split(',')[0] : 'unknown';
    const place = isPath(file, setting) ? `: ${resolve(file)}` : '';
    throw new ConfigurationError([{ path: setting, kind: 'a file', reason: `cannot be read: ${reason}${place}` }]);
  }
}

/** Whether a text is surely the path of a file, and no secret that was set in its place. */
export function isPath(text: string, setting: string): boolean {
  const least = /password|credentials/.test(setting) ? /\// : /[/.]/;
  return least.test(text) && /^[\w .,@%+=:~/-]{1,255}$/.test(text);
}
