import { mkdir, writeFile } from 'node:fs/promises';
import { makeCertificate } from '../../fixtures/certificate.js';
import { freePort } from './http.js';
import { Daemon, run } from './process.js';
import type { Scratch } from './scratch.js';

const suffix = 'dc=example,dc=com';

/** OpenLDAP's server with people, groups and the overlay that keeps `memberOf`. */
export class Slapd {
  static readonly suffix = suffix;
  static readonly people = `ou=people,${suffix}`;
  static readonly groups = `ou=groups,${suffix}`;
  /** May search. */
  static readonly administrator = { dn: `cn=admin,${suffix}`, password: 'planted-admin' };

  private constructor(
    readonly ports: { readonly plain: number; readonly tls: number },
    readonly caFile: string,
  ) {}

  /** @param people names and passwords. @param groups names with the names of their members */
  static async start(
    scratch: Scratch,
    people: Readonly<Record<string, string>>,
    groups: Readonly<Record<string, readonly string[]>>,
  ): Promise<Slapd> {
    const { cert, key } = makeCertificate();
    const [caFile, keyFile, conf] = [scratch.file('ldap.pem'), scratch.file('ldap.key'), scratch.file('slapd.conf')];
    await writeFile(caFile, cert);
    await writeFile(keyFile, key, { mode: 0o600 });
    await mkdir(scratch.file('ldap'));
    await writeFile(conf, configuration(scratch.file('ldap'), caFile, keyFile));
    const ports = { plain: await freePort(), tls: await freePort() };
    const [plain, tls] = [`ldap://127.0.0.1:${ports.plain}`, `ldaps://127.0.0.1:${ports.tls}`];
    const { dn, password } = Slapd.administrator;
    const account = ['-x', '-H', plain, '-D', dn, '-w', password];
    const daemon = await Daemon.start('slapd', ['-f', conf, '-h', `${plain}/ ${tls}/`, '-d', '0'], {
      log: scratch.file('slapd.log'),
      ready: () =>
        run('ldapwhoami', account).then(
          () => true,
          () => false,
        ),
    });
    scratch.onClose(() => daemon.stop());
    const ldif = scratch.file('entries.ldif');
    await writeFile(ldif, entries(people, groups));
    await run('ldapadd', [...account, '-f', ldif]);
    return new Slapd(ports, caFile);
  }
}

function configuration(folder: string, certificate: string, key: string): string {
  return `
${['core', 'cosine', 'inetorgperson'].map((name) => `include /etc/ldap/schema/${name}.schema`).join('\n')}
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload memberof
TLSCertificateFile ${certificate}
TLSCertificateKeyFile ${key}
database mdb
maxsize 10485760
suffix "${suffix}"
rootdn "${Slapd.administrator.dn}"
rootpw ${Slapd.administrator.password}
directory ${folder}
overlay memberof
`;
}

function entries(
  people: Readonly<Record<string, string>>,
  groups: Readonly<Record<string, readonly string[]>>,
): string {
  const dnOf = (name: string) => `uid=${name.replaceAll(/[,+"\\<>;=#]/g, '\\$&')},${Slapd.people}`;
  const unit = (dn: string, name: string) => `dn: ${dn}\nobjectClass: organizationalUnit\nou: ${name}\n`;
  const person = ([name, password]: [string, string]) =>
    `dn: ${dnOf(name)}\nobjectClass: inetOrgPerson\nuid: ${name}\ncn: ${name}\nsn: x\nuserPassword: ${password}\n`;
  const group = ([name, members]: [string, readonly string[]]) =>
    `dn: cn=${name},${Slapd.groups}\nobjectClass: groupOfNames\ncn: ${name}\n${members.map((member) => `member: ${dnOf(member)}\n`).join('')}`;
  return [
    `dn: ${suffix}\nobjectClass: dcObject\nobjectClass: organization\no: x\ndc: example\n`,
    unit(Slapd.people, 'people'),
    unit(Slapd.groups, 'groups'),
    ...Object.entries(people).map(person),
    ...Object.entries(groups).map(group),
  ].join('\n');
}
