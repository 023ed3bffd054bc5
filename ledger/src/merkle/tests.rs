use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::codec;

type Nodes = BTreeMap<(u8, u64), NodeHash>;

/// The definition of the tree hash, word for word (RFC 9162, section 2.1.1).
fn naive_root(leaves: &[NodeHash]) -> NodeHash {
    match leaves {
        [] => NodeHash(Sha256::digest([]).into()),
        [leaf] => *leaf,
        _ => {
            let mut k = 1;
            while k * 2 < leaves.len() {
                k *= 2;
            }
            node_hash(&naive_root(&leaves[..k]), &naive_root(&leaves[k..]))
        }
    }
}

fn leaves(size: usize) -> Vec<NodeHash> {
    (0..size)
        .map(|i| leaf_hash(format!("entry {i}").as_bytes()))
        .collect()
}

fn grow(leaves: &[NodeHash]) -> (Frontier, Nodes) {
    let (mut frontier, mut nodes) = (Frontier::new(), Nodes::new());
    for leaf in leaves {
        for node in frontier.append(*leaf).unwrap() {
            assert_eq!(nodes.insert((node.level, node.index), node.hash), None);
        }
    }
    (frontier, nodes)
}

#[test]
fn the_empty_tree_has_the_hash_of_nothing_for_its_root() {
    assert_eq!(Frontier::new().root(), naive_root(&[]));
    assert_eq!(NodeHash::EMPTY_TREE, naive_root(&[]));
    assert_eq!(root(&Nodes::new(), 0), Ok(NodeHash::EMPTY_TREE));
}

#[test]
fn every_proof_of_every_small_tree_verifies() {
    let all = leaves(40);
    let (_, nodes) = grow(&all);
    for size in 1..=all.len() {
        let tree_root = naive_root(&all[..size]);
        let size = size as u64;
        for index in 0..size {
            let path = prove_inclusion(&nodes, index, size).unwrap();
            assert_eq!(
                verify_inclusion(
                    &all[usize::try_from(index).unwrap()],
                    index,
                    size,
                    &path,
                    &tree_root
                ),
                Ok(())
            );
        }
        for older in 1..=size {
            let path = prove_consistency(&nodes, older, size).unwrap();
            let older_root = naive_root(&all[..usize::try_from(older).unwrap()]);
            assert_eq!(
                verify_consistency(older, &older_root, size, &tree_root, &path),
                Ok(())
            );
        }
    }
}

#[test]
fn a_proof_beyond_the_tree_is_not_made() {
    let (_, nodes) = grow(&leaves(3));
    assert_eq!(
        prove_inclusion(&nodes, 3, 3),
        Err(ProveError::OutOfRange { index: 3, size: 3 })
    );
    assert_eq!(
        prove_consistency(&nodes, 0, 3),
        Err(ProveError::Sizes { size1: 0, size2: 3 })
    );
    assert_eq!(
        prove_inclusion(&nodes, 0, 4),
        Err(ProveError::Read(MissingNode { level: 1, index: 1 }))
    );
}

#[test]
fn a_path_longer_than_any_tree_is_refused() {
    let path = vec![NodeHash([7; 32]); PATH_LEN_MAX + 1];
    let hash = NodeHash([1; 32]);
    for (index, size) in [(0, u64::MAX), (u64::MAX - 1, u64::MAX), (1 << 63, u64::MAX)] {
        assert_eq!(
            verify_inclusion(&hash, index, size, &path, &hash),
            Err(ProofError::PathLength { got: path.len() })
        );
        assert_eq!(
            verify_consistency(index.max(1), &hash, size, &hash, &path),
            Err(ProofError::PathLength { got: path.len() })
        );
    }
}

#[test]
fn a_frontier_whose_hashes_do_not_fit_its_size_is_refused() {
    let (frontier, _) = grow(&leaves(5));
    let bytes = codec::encode(&frontier);
    assert_eq!(codec::decode::<Frontier>(&bytes, 4096), Ok(frontier));
    let mut wrong = bytes;
    wrong[0] = 7;
    assert!(codec::decode::<Frontier>(&wrong, 4096).is_err());
    let huge = codec::encode(&(u64::MAX, vec![NodeHash([0; 32]); 64]));
    assert!(codec::decode::<Frontier>(&huge, 4096).is_err());
}

proptest! {
    #[test]
    fn the_frontier_and_the_stored_nodes_give_the_naive_root(size in 0usize..600) {
        let all = leaves(size);
        let (frontier, nodes) = grow(&all);
        prop_assert_eq!(frontier.size(), size as u64);
        prop_assert_eq!(frontier.root(), naive_root(&all));
        prop_assert_eq!(root(&nodes, size as u64), Ok(naive_root(&all)));
        prop_assert_eq!(codec::decode::<Frontier>(&codec::encode(&frontier), 4096), Ok(frontier));
    }

    #[test]
    fn any_flipped_bit_breaks_an_inclusion_proof(
        size in 1u64..600, index in any::<prop::sample::Index>(), bit in 0usize..256,
        which in any::<prop::sample::Index>(),
    ) {
        let all = leaves(usize::try_from(size).unwrap());
        let (frontier, nodes) = grow(&all);
        let index = index.index(all.len());
        let mut path = prove_inclusion(&nodes, index as u64, size).unwrap();
        let (mut leaf, mut tree_root) = (all[index], frontier.root());
        let target = which.index(path.len() + 2);
        let hash = match target {
            0 => &mut leaf,
            1 => &mut tree_root,
            n => &mut path[n - 2],
        };
        hash.0[bit / 8] ^= 1 << (bit % 8);
        prop_assert_eq!(
            verify_inclusion(&leaf, index as u64, size, &path, &tree_root),
            Err(ProofError::OtherRoot)
        );
    }

    #[test]
    fn any_flipped_bit_breaks_a_consistency_proof(
        size in 2u64..600, older in any::<prop::sample::Index>(), bit in 0usize..256,
        which in any::<prop::sample::Index>(),
    ) {
        let all = leaves(usize::try_from(size).unwrap());
        let (frontier, nodes) = grow(&all);
        let older = older.index(all.len() - 1) + 1;
        let mut path = prove_consistency(&nodes, older as u64, size).unwrap();
        let (mut root1, mut root2) = (naive_root(&all[..older]), frontier.root());
        let target = which.index(path.len() + 2);
        let hash = match target {
            0 => &mut root1,
            1 => &mut root2,
            n => &mut path[n - 2],
        };
        hash.0[bit / 8] ^= 1 << (bit % 8);
        prop_assert_eq!(
            verify_consistency(older as u64, &root1, size, &root2, &path),
            Err(ProofError::OtherRoot)
        );
    }

    #[test]
    fn a_shortened_or_lengthened_path_is_refused(size in 2u64..600, index in any::<prop::sample::Index>()) {
        let all = leaves(usize::try_from(size).unwrap());
        let (frontier, nodes) = grow(&all);
        let index = index.index(all.len());
        let path = prove_inclusion(&nodes, index as u64, size).unwrap();
        let mut longer = path.clone();
        longer.push(frontier.root());
        for wrong in [&path[..path.len() - 1], &longer] {
            let got = verify_inclusion(&all[index], index as u64, size, wrong, &frontier.root());
            prop_assert_eq!(got, Err(ProofError::PathLength { got: wrong.len() }));
        }
    }
}
