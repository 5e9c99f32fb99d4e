// Cuts of the network as commands.

// cutCommands says cuts of links in as few commands as they can be said in: "all from
// S1 to S2, S3 and S4" is one. With oneway a link is cut from its first end to its second.
/**
 * @param {[number, number][]} links
 * @param {boolean} oneway
 * @returns {Command[]}
 */
export function cutCommands(links, oneway) {
  const commands = [];
  const ends = (/** @type {number[]} */ l) => (oneway ? [l[0]] : l);
  while (links.length) {
    const count = {};
    for (const id of links.flatMap(ends)) count[id] = (count[id] || 0) + 1;
    const hub = Number(Object.entries(count).sort((a, b) => b[1] - a[1])[0][0]);
    const here = links.filter((l) => ends(l).includes(hub));
    commands.push({ cmd: 'cut', from: [hub], to: here.map(([a, b]) => (a === hub ? b : a)), oneway });
    links = links.filter((l) => !here.includes(l));
  }
  return commands;
}
