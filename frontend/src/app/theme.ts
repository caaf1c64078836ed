import {
  createTheme,
  defaultVariantColorsResolver,
  type CSSVariablesResolver,
  type MantineColorsTuple,
  type VariantColorsResolver,
} from '@mantine/core';

const ACCENT = 'accent';

/** One accent. Index 7 is its shade on the light ground, index 4 on the dark one. */
const accent: MantineColorsTuple = [
  '#EFF6FF',
  '#DBEAFE',
  '#BFDBFE',
  '#93C5FD',
  '#60A5FA',
  '#3B82F6',
  '#2563EB',
  '#1D4ED8',
  '#1E40AF',
  '#1E3A8A',
];

/** Mantine's greys in our own hue. Index 4 draws the edges of fields: 3:1 on the ground in both themes. */
const gray: MantineColorsTuple = [
  '#F9FAFB',
  '#F3F4F6',
  '#E5E7EB',
  '#D1D5DB',
  '#848C99',
  '#6B7280',
  '#4B5563',
  '#374151',
  '#1F2937',
  '#111827',
];
const dark: MantineColorsTuple = [
  '#E5E7EB',
  '#C3C9D3',
  '#9CA3AF',
  '#7C8696',
  '#5F6B7D',
  '#2F3B4E',
  '#0F1622',
  '#0B0F17',
  '#151C28',
  '#070A10',
];

/** White on the accent would be too faint on the dark ground, so the text of the main action goes with the theme. */
const variantColorResolver: VariantColorsResolver = (input) => {
  const colors = defaultVariantColorsResolver(input);
  if (input.variant !== 'filled' || (input.color ?? ACCENT) !== ACCENT) return colors;
  return { ...colors, color: 'var(--on-ok)' };
};

export const theme = createTheme({
  fontFamily: "'Inter Variable', system-ui, sans-serif",
  fontFamilyMonospace: 'ui-monospace, SFMono-Regular, Menlo, Consolas, monospace',
  fontSizes: { xs: '13px', sm: '14px', md: '16px', lg: '18px', xl: '24px' },
  lineHeights: { sm: '1.4', md: '1.5' },
  spacing: { xs: '8px', sm: '12px', md: '16px', lg: '24px', xl: '32px' },
  defaultRadius: 8,
  radius: { sm: '4px', md: '8px' },
  colors: { [ACCENT]: accent, gray, dark },
  primaryColor: ACCENT,
  primaryShade: { light: 7, dark: 4 },
  variantColorResolver,
  respectReducedMotion: true,
  cursorType: 'pointer',
  focusRing: 'auto',
});

/** Mantine's own parts take the colours of ui/tokens.css, so that each colour is written in one place. */
export const cssVariables: CSSVariablesResolver = () => {
  const shared = {
    '--mantine-color-body': 'var(--ground)',
    '--mantine-color-text': 'var(--text)',
    '--mantine-color-dimmed': 'var(--quiet)',
    '--mantine-color-error': 'var(--over)',
    '--mantine-primary-color-filled': 'var(--ok)',
    '--mantine-primary-color-filled-hover': 'var(--ok-hover)',
    '--mantine-color-anchor': 'var(--ok)',
    '--mantine-color-placeholder': 'var(--quiet)',
    '--mantine-color-default': 'var(--ground)',
    '--mantine-color-default-color': 'var(--text)',
    '--mantine-color-default-hover': 'var(--hover)',
    '--mantine-color-default-border': 'var(--edge)',
  };
  return { variables: {}, light: shared, dark: shared };
};
