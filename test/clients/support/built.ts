/** Folder of the programs that .ci/install-clients builds, newer than Debian's of the same names. */
export const BUILT = '/usr/local/lib/oci-clients/';
