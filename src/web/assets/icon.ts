/** The logo in colours that are seen on light and dark tabs. */
export const icon =
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">' +
  '<path fill="#2f6fdb" d="M16 3 29 9.5 16 16 3 9.5Z"/>' +
  '<path fill="#5b93ee" d="m5.5 14.2 10.5 5.3 10.5-5.3L29 15.5 16 22 3 15.5Z"/>' +
  '<path fill="#94b8f5" d="m5.5 20.2 10.5 5.3 10.5-5.3L29 21.5 16 28 3 21.5Z"/></svg>\n';
