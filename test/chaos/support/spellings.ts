/** A secret as it is, in base64 at any place of a group, and percent-encoded. */
export function spellingsOf(secret: string): string[] {
  const inBase64 = [0, 1, 2].map((shift) => {
    const encoded = Buffer.from(' '.repeat(shift) + secret).toString('base64');
    return encoded.slice(shift === 0 ? 0 : 4, Math.floor((shift + secret.length) / 3) * 4);
  });
  return [secret, ...inBase64, encodeURIComponent(secret).replaceAll('-', '%2D')];
}
