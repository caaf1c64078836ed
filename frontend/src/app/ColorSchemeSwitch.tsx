import { SegmentedControl, useMantineColorScheme, VisuallyHidden, type MantineColorScheme } from '@mantine/core';
import type { ReactNode } from 'react';
import { texts } from '../texts';
import { MoonIcon, ScreenIcon, SunIcon } from '../ui/icons';

function choice(value: MantineColorScheme, icon: ReactNode) {
  const label = (
    <span title={texts.scheme[value]} style={{ display: 'flex', padding: '2px 0' }}>
      {icon}
      <VisuallyHidden>{texts.scheme[value]}</VisuallyHidden>
    </span>
  );
  return { value, label };
}

const choices = () => [
  choice('light', <SunIcon size={16} />),
  choice('dark', <MoonIcon size={16} />),
  choice('auto', <ScreenIcon size={16} />),
];

export function ColorSchemeSwitch() {
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  return (
    <SegmentedControl<MantineColorScheme>
      aria-label={texts.scheme.label}
      size="xs"
      data={choices()}
      value={colorScheme}
      onChange={setColorScheme}
    />
  );
}
