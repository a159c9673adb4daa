/** Layers of an image, one above the other. The favicon in `assets/` has the same shape. */
export function Logo() {
  return (
    <svg class="logo" viewBox="0 0 32 32" width="32" height="32" aria-hidden="true" focusable="false">
      <path class="logo-1" d="M16 3 29 9.5 16 16 3 9.5Z" />
      <path class="logo-2" d="m5.5 14.2 10.5 5.3 10.5-5.3L29 15.5 16 22 3 15.5Z" />
      <path class="logo-3" d="m5.5 20.2 10.5 5.3 10.5-5.3L29 21.5 16 28 3 21.5Z" />
    </svg>
  );
}
