import type { ModelPoint, ReportData } from './data.js';
import type { Figure } from './figure.js';
import { percentOf } from './figures.js';
import { headlineTable, partRuns } from './parts.js';
import { escapeText, PLOT_STYLE, plot } from './plot.js';
import { RECORDED_FILES, type RunResult, shownPoints } from './recorded.js';

const STYLE = `:root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;background:#fff;color:#222}
h1{font-size:1.7rem}h2{font-size:1.25rem;margin-top:2.4rem}.figures{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(28rem,100%),1fr));gap:1.2rem}
figure{margin:0;padding:.6rem;border:1px solid #ddd;border-radius:.4rem;min-width:0}figcaption{font-weight:600}svg{width:100%;height:auto}
table{border-collapse:collapse;font-size:.86rem;font-variant-numeric:tabular-nums}th,td{padding:.15rem .6rem;text-align:right;border-bottom:1px solid #ddd}
th:first-child,td:first-child,td.text{text-align:left}.scroll{overflow-x:auto}details{font-size:.86rem}.missing{padding:.6rem;border-left:4px solid #b26a00;background:#fff6e5}
@media (prefers-color-scheme:dark){body{background:#16181d;color:#e4e4e4}figure,th,td{border-color:#3a3d44}.missing{background:#33291a}}`;

type Cell = string | number;

/** The report as one HTML document that refers to nothing outside itself. */
export function page(data: ReportData): string {
  const groups = [...new Set(data.figures.map((f) => f.group))];
  const body = [
    `<h1>SemLink: accuracy over bad channels</h1>`,
    intro(data),
    models(data),
    ...groups.map((group) =>
      figureGroup(
        group,
        data.figures.filter((f) => f.group === group),
      ),
    ),
    published(data),
    data.recorded.pixels ? '' : missing('Pixels by JPEG or WebP, LDPC and QAM', RECORDED_FILES.pixels),
    data.recorded.dataAxis ? '' : missing('Accuracy over 5 to 100 % of the training images', RECORDED_FILES.dataAxis),
    headlines('Parts of the method at headline points', partRuns(data.recorded)),
    ablations(data.recorded.ablations),
    data.recorded.teacherInLoop
      ? ''
      : missing('Standard distillation, the teacher in the loop', RECORDED_FILES.teacherInLoop),
    data.recorded.denseKnowledge
      ? headlines('Dense knowledge beside stored records', data.recorded.denseKnowledge)
      : missing('Dense knowledge beside stored records', RECORDED_FILES.denseKnowledge),
    conventions(data),
  ];
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>SemLink report</title><style>${STYLE}${PLOT_STYLE}</style></head>
<body>
${body.filter((part) => part !== '').join('\n')}
</body></html>
`;
}

function intro({ images, split, seeds, models }: ReportData): string {
  const bars = seeds.length > 1 ? ' Error bars are one standard deviation over the seeds.' : '';
  return `<p>${models.map((m) => escapeText(m.model)).join(', ')} on ${images} ${split} images of CIFAR-10, channel seeds ${seeds.join(', ')}, through the published graphs, the channel models and the receiver's equaliser, in one process.${bars} One standard error of ${images} images at 90 % is ${percentOf(Math.sqrt(0.09 / images))} %. Point at a mark to read it; all numbers are in the JSON beside this page.</p>`;
}

function models({ models: facts, machine }: ReportData): string {
  const rows = facts.map((m): Cell[] => [
    m.model,
    m.encoder.parameters.toLocaleString('en'),
    m.encoder.mflop,
    m.decoder.parameters.toLocaleString('en'),
    m.decoder.mflop,
    percentOf(m.on_device_accuracy),
    `${m.training.images.toLocaleString('en')} images, ${m.training.epochs} epochs, ${m.training.knowledge ? 'stored knowledge' : 'labels'}, seed ${m.training.seed}`,
  ]);
  const timed = facts.flatMap((m) =>
    m.latency.map((l): Cell[] => [m.model, l.part, l.batch, l.p50_ms, l.p99_ms, l.calls]),
  );
  return section(
    'Size, work and time',
    table(
      [
        'model',
        'encoder parameters',
        'MFLOP',
        'decoder parameters',
        'MFLOP',
        'accuracy without a channel %',
        'trained on',
      ],
      rows,
    ) +
      '<p>MFLOP an image, a multiply and an add count two. Without a channel: the longest message at 26 dB.</p>' +
      (timed.length === 0
        ? '<p class="missing">Latency was not measured (--latency-calls 0).</p>'
        : `<p>Wall-clock time of a call in process, without a network, at the longest message: ${escapeText(machine)}. The chain is encoder, channel, equaliser and decoder.</p>${table(['model', 'part', 'images a call', 'p50 ms', 'p99 ms', 'calls'], timed)}`),
  );
}

function figureGroup(group: string, figures: Figure[]): string {
  const drawn = figures.map(
    (f) =>
      `<figure><figcaption>${escapeText(f.title)}</figcaption>${plot(f, false)}<details><summary>numbers</summary>${numbers(f)}</details></figure>`,
  );
  return section(group, `<div class="figures">${drawn.join('\n')}</div>`);
}

function numbers({ x, series }: Figure): string {
  const xs = [...new Set(series.flatMap(({ points }) => points.map((p) => p.x)))].sort((a, b) => a - b);
  return table(
    [x.label, ...series.map((s) => s.name)],
    xs.map((value): Cell[] => [
      value,
      ...series.map(({ points }) => {
        const p = points.find((point) => point.x === value);
        return p === undefined ? '' : p.error === undefined ? p.y : `${p.y} ± ${p.error}`;
      }),
    ]),
  );
}

function published({ published: all }: ReportData): string {
  const rows = all.map((p): Cell[] => [
    p.who,
    p.setting,
    `${p.snr_db} dB ${p.power === 'peak' ? 'peak' : ''}`,
    p.k,
    `~${percentOf(p.accuracy)}`,
    p.ours.map(ours).join('; ') || '-',
  ]);
  return section(
    'Published points',
    '<p>CIFAR-10 over AWGN, as stated by their authors or read off their figures (~). Ours: same power constraint and SNR, and the longest message that is not longer than theirs. Models differ in training data and in what else they do, so these are points to stand beside, not a contest under equal terms.</p>' +
      table(['who', 'setting', 'SNR', 'complex uses', 'accuracy %', 'ours, accuracy % (k)'], rows),
  );
}

const ours = (p: ModelPoint) => `${p.model} ${percentOf(p.accuracy)} (${p.k})`;

/** Kinds of runs at headline points, mean and standard deviation over the seeds of training. */
function headlines(title: string, runs: readonly RunResult[]): string {
  if (runs.length === 0) return '';
  const { heads, rows } = headlineTable(runs);
  const epochs = [...new Set(runs.map((run) => run.epochs))].join(', ');
  const lines = rows.map(({ what, cells }): Cell[] => [
    what,
    Math.max(...cells.map((cell) => cell?.seeds ?? 0)),
    ...cells.map((cell) => {
      if (!cell) return '';
      return cell.deviation === undefined ? cell.mean : `${cell.mean} ± ${cell.deviation}`;
    }),
  ]);
  return section(
    title,
    `<p>Accuracy in %, mean ± standard deviation over the seeds of training; size S, ${epochs} epochs, so these are not the accuracies of the published models. A single seed has no deviation.</p>${table(['runs', 'seeds', ...heads], lines)}`,
  );
}

function ablations(runs: RunResult[] | undefined): string {
  if (!runs) return missing('Ablations', RECORDED_FILES.ablations);
  const keys = [...new Set(runs.flatMap((run) => shownPoints(run).map((p) => `${p.channel} ${p.snr_db} dB k ${p.k}`)))];
  return section(
    'Ablations',
    table(
      ['run', 'what', 'size', 'images', 'epochs', 'seed', ...keys],
      runs.map((run): Cell[] => [
        run.run,
        run.what,
        run.size,
        run.images,
        run.epochs,
        run.seed,
        ...keys.map((key) => {
          const point = run.points.find((p) => `${p.channel} ${p.snr_db} dB k ${p.k}` === key);
          return point ? percentOf(point.accuracy) : '';
        }),
      ]),
    ),
  );
}

function conventions({ label_classifier: label, recorded }: ReportData): string {
  const pixelImages = [...new Set((recorded.pixels ?? []).map((p) => Number(p.images)))].filter(Number.isFinite);
  return section(
    'What the numbers mean',
    `<ul>
<li>A symbol is complex; the k symbols of an image have unit average power for that image. SNR is the average Es/N0, E|h|^2 = 1. Block Rayleigh has one gain an image, known to the receiver; its numbers are means over fading, outage included.</li>
<li>Peak constraint: |re|, |im| &lt;= 1, noise sigma^2 in each real dimension, peak SNR 1/sigma^2; the symbols times sqrt(2), limited, every image alike.</li>
<li>On-device classifier with coded label: ${escapeText(label.model)} decides on the device (${percentOf(label.accuracy)} % right) and sends log2(10) bits. The code is the simplex of 10 words where 2k &gt;= 9 (the best of equal energy, closed form), else 10 points on the sphere of 2k dimensions, optimised for each SNR and channel and sent through this channel code 40,000 times; maximum likelihood, perfect channel knowledge. It is decided what is sent, so doubt is not: where labels get lost a learned message can do better, where they arrive it cannot.</li>
<li>Capacity bound: the rate-distortion function of 10 equally likely classes under Hamming distortion against k log2(1 + SNR) bits an image; over block Rayleigh the mean over fading of the bound at each fade, neither ergodic nor outage capacity, for an image sees one fade. It presumes a classifier that is never wrong.</li>
<li>Pixels: the best rate for each SNR, length and channel, then a classifier of the receiver's${pixelImages.length > 0 ? `, on ${pixelImages.join(' or ')} images` : ''}; see test/baselines.</li>
</ul>`,
  );
}

const section = (title: string, content: string) => `<section><h2>${escapeText(title)}</h2>\n${content}</section>`;

const missing = (what: string, file: string) =>
  section(what, `<p class="missing">Not measured: there is no ${file} among the recorded results.</p>`);

function table(heads: string[], rows: Cell[][]): string {
  const cell = (value: Cell) =>
    `<td${typeof value === 'string' && /[a-z]/i.test(value) ? ' class="text"' : ''}>${escapeText(String(value))}</td>`;
  return `<div class="scroll"><table><thead><tr>${heads.map((h) => `<th>${escapeText(h)}</th>`).join('')}</tr></thead><tbody>${rows
    .map((row) => `<tr>${row.map(cell).join('')}</tr>`)
    .join('')}</tbody></table></div>`;
}
