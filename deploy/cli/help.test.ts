import { describe, expect, it } from 'vitest';
import { semlink } from '../../test/integration/semlink-command.fixture.js';

const commands = ['demo', 'up', 'send', 'train', 'teach', 'evaluate', 'report'];

describe('semlink', () => {
  it('--help lists every command with what it is for', async () => {
    const { status, stdout, stderr } = await semlink(['--help']);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    for (const command of commands) expect(stdout).toMatch(new RegExp(`^  ${command} +\\S.{20,}$`, 'm'));
  });

  it('without a command prints the same and exits 2', async () => {
    expect(await semlink([])).toMatchObject({ status: 2, stdout: (await semlink(['--help'])).stdout });
  });

  it('--version prints its version', async () => {
    expect(await semlink(['--version'])).toMatchObject({
      status: 0,
      stdout: expect.stringMatching(/^semlink \d+\.\d+\.\d+\n$/),
    });
  });

  it('names the command that was meant', async () => {
    const near = await semlink(['evalute']);
    expect(near).toMatchObject({ status: 2, stdout: '' });
    expect(near.stderr).toMatch(
      /^semlink: there is no command "evalute"\. Did you mean evaluate\? There are demo, up, /,
    );
    const far = await semlink(['constructor']);
    expect(far.status).toBe(2);
    expect(far.stderr).toMatch(/^semlink: there is no command "constructor"\. There are demo, up, /);
  });
});

describe.each(commands)('semlink %s', (command) => {
  it('--help tells every option with its range, default and variable', async () => {
    const { status, stdout, stderr } = await semlink([command, '--help']);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toMatch(new RegExp(`^Usage: semlink ${command} \\[options\\]`));
    const options = stdout
      .slice(stdout.indexOf('Options:\n') + 9, stdout.indexOf('\n\n  --config FILE'))
      .split(/\n(?= {2}--)/);
    expect(options.length).toBeGreaterThan(5);
    for (const option of options) {
      const [head, description, facts, ...more] = option.split('\n');
      expect(head).toMatch(/^ {2}--[a-z0-9-]+( \S+|, --no-[a-z-]+)$/);
      expect(description).toMatch(/^ {6}[A-Z].*\.$|^ {6}\S.*\.$/);
      expect(facts).toMatch(/(default \S|optional|required).* · env [A-Z0-9_]+ · "[a-zA-Z0-9.]+"$/);
      expect(more).toEqual([]);
    }
  });

  it('names a flag that was meant, and exits 2', async () => {
    const { status, stdout, stderr } = await semlink([command, '--versoin', '--zzz=2']);
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toContain(`semlink ${command}: Unknown flag --versoin. Did you mean --version?`);
    expect(stderr).toContain('Unknown flag --zzz. --help lists all flags.');
    expect(stderr).toContain(`Try semlink ${command} --help.`);
  });

  it('names a value out of range with what is allowed, and exits 2', async () => {
    const of: Record<string, [flag: string, range: string]> = {
      train: ['--epochs', 'whole number, 1 to 10000'],
      teach: ['--views', 'whole number, 1 to 65535'],
    };
    const [flag, range] = of[command] ?? ['--snr-db', 'number of dB, -40 to 60'];
    const { status, stderr } = await semlink([command, flag, '100000']);
    expect(status).toBe(2);
    expect(stderr).toContain(`semlink ${command}: ${flag}: `);
    expect(stderr).toContain(`100000`);
    expect(stderr).toContain(range);
  });
});
