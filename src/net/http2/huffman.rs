//! The Huffman code of HPACK (RFC 7541, appendix B), decoded four bits at a time.

use std::sync::LazyLock;

/// The end of a string, whose code is only used as padding.
const END: u16 = 256;

/// Lengths of the codes of the 256 bytes and of the end, in bits. The code is canonical: codes follow each other by length, then by byte.
#[rustfmt::skip]
const LENGTHS: [u8; 257] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
    6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
    13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
    15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
    20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
    22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
    26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
    20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
    30,
];

/// What four bits lead to.
#[derive(Clone, Copy, Default)]
struct Step {
    /// The next node.
    node: u16,
    /// The byte that is complete, if one is: no code is shorter than five bits.
    byte: Option<u8>,
    /// Whether the bits are those of the end, which no string contains.
    is_end: bool,
}

/// The steps of each node of the tree.
struct Steps {
    steps: Vec<[Step; 16]>,
    /// Whether a string may end at a node: the bits behind the last byte are ones, and fewer than eight.
    may_end: Vec<bool>,
}

static STEPS: LazyLock<Steps> = LazyLock::new(Steps::new);

/// A branch of the tree while it is built.
#[derive(Clone, Copy)]
enum Branch {
    None,
    Node(u16),
    Leaf(u16),
}

impl Steps {
    fn new() -> Steps {
        let tree = tree();
        let mut may_end = vec![false; tree.len()];
        let mut node = 0;
        for _ in 0..8 {
            may_end[usize::from(node)] = true;
            match tree[usize::from(node)][1] {
                Branch::Node(next) => node = next,
                Branch::None | Branch::Leaf(_) => break,
            }
        }
        let steps = (0..tree.len()).map(|node| std::array::from_fn(|bits| step(&tree, node, bits))).collect();
        Steps { steps, may_end }
    }
}

fn tree() -> Vec<[Branch; 2]> {
    let mut symbols: Vec<u16> = (0..=END).collect();
    symbols.sort_by_key(|symbol| (LENGTHS[usize::from(*symbol)], *symbol));
    let mut tree = vec![[Branch::None; 2]];
    let (mut code, mut length) = (0u32, 0);
    for symbol in symbols {
        let bits = LENGTHS[usize::from(symbol)];
        code <<= bits - length;
        length = bits;
        let mut node = 0;
        for at in (1..bits).rev() {
            let side = (code >> at & 1) as usize;
            node = match tree[node][side] {
                Branch::Node(next) => usize::from(next),
                Branch::None | Branch::Leaf(_) => {
                    let next = tree.len();
                    tree[node][side] =
                        Branch::Node(u16::try_from(next).expect("a tree of 257 leaves has 256 nodes"));
                    tree.push([Branch::None; 2]);
                    next
                }
            };
        }
        tree[node][(code & 1) as usize] = Branch::Leaf(symbol);
        code += 1;
    }
    tree
}

fn step(tree: &[[Branch; 2]], mut node: usize, bits: usize) -> Step {
    let mut step = Step::default();
    for at in (0..4).rev() {
        match tree[node][bits >> at & 1] {
            Branch::Node(next) => node = usize::from(next),
            Branch::Leaf(symbol) => {
                node = 0;
                match u8::try_from(symbol) {
                    Ok(byte) => step.byte = Some(byte),
                    Err(_) => step.is_end = true,
                }
            }
            Branch::None => step.is_end = true,
        }
    }
    step.node = u16::try_from(node).expect("it is one of 256 nodes");
    step
}

/// A string that is not one of the code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadCode;

/// Appends the bytes that `coded` stands for: no more than 8 for 5 of it.
///
/// # Errors
///
/// [`BadCode`].
pub fn decode(coded: &[u8], bytes: &mut Vec<u8>) -> Result<(), BadCode> {
    let steps = &*STEPS;
    let mut node = 0;
    for coded in coded {
        for bits in [coded >> 4, coded & 15] {
            let step = steps.steps[node][usize::from(bits)];
            if step.is_end {
                return Err(BadCode);
            }
            bytes.extend(step.byte);
            node = usize::from(step.node);
        }
    }
    match steps.may_end[node] {
        true => Ok(()),
        false => Err(BadCode),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(coded: &[u8]) -> Result<Vec<u8>, BadCode> {
        let mut bytes = Vec::new();
        decode(coded, &mut bytes).map(|()| bytes)
    }

    #[test]
    fn the_examples_of_the_specification_are_decoded() {
        // RFC 7541, appendix C.4 and C.6.
        for (coded, text) in [
            (
                &[0xf1, 0xe3, 0xc2, 0xe5, 0xf2, 0x3a, 0x6b, 0xa0, 0xab, 0x90, 0xf4, 0xff][..],
                "www.example.com",
            ),
            (&[0xa8, 0xeb, 0x10, 0x64, 0x9c, 0xbf], "no-cache"),
            (&[0x64, 0x02], "302"),
            (&[0x64, 0x0e, 0xff], "307"),
            (&[], ""),
        ] {
            assert_eq!(decoded(coded), Ok(text.as_bytes().to_vec()), "{text}");
        }
    }

    #[test]
    fn other_padding_and_the_end_are_refused() {
        // Zeros behind "0" (00000), eight ones, and the code of the end.
        for coded in [&[0x00][..], &[0x07, 0xff], &[0xff, 0xff, 0xff, 0xff], &[0xff, 0xff, 0xff, 0xfc]] {
            assert_eq!(decoded(coded), Err(BadCode), "{coded:x?}");
        }
        assert_eq!(decoded(&[0x07]), Ok(b"0".to_vec()));
    }
}
