export const CASES: { default: undefined; full: string };
export function copies(): { source: string; target: string }[];
export function readme(current: string, values: string): string;
export function render(values?: string): string | undefined;
