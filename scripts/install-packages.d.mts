// Types of install-packages.mjs.
export declare function reasonToInstall(root: string): string | undefined;
export declare function installPackages(root: string, note: (text: string) => void): Promise<string>;
