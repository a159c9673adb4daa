import { ConfigurationError } from '../configuration-error.js';
import { isText } from '../validation/rules.js';
import { readSettingFile } from './setting-file.js';

/** A password as its file has it, without the trailing newline; undefined for anything but one line of text. */
export function parsePassword(content: string): string | undefined {
  const password = content.replace(/\r?\n$/, '');
  return isText(password, 65_536) ? password : undefined;
}

/** @param setting path of the setting in messages. @throws ConfigurationError when there is no password in it */
export function readPasswordFile(file: string, setting: string): string {
  const password = parsePassword(readSettingFile(file, setting));
  if (password !== undefined) return password;
  throw new ConfigurationError([{ path: setting, kind: 'a file', reason: 'must contain one line of text' }]);
}
