import { type Browser, chromium } from 'playwright-core';

/** Debian's Chromium without anything that reaches out to the network by itself. @param extra flags, without `--` */
export function openBrowser(extra: readonly string[] = []): Promise<Browser> {
  const flags = 'no-sandbox disable-gpu disable-quic no-first-run disable-background-networking';
  const more = 'disable-component-update disable-sync';
  return chromium.launch({
    executablePath: '/usr/bin/chromium',
    args: [...`${flags} ${more}`.split(' '), ...extra].map((flag) => `--${flag}`),
  });
}
