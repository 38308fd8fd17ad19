//! The user that a server started as root becomes.

use bstr::{BStr, ByteSlice};
use nix::unistd::{Gid, Group, Uid, User, geteuid};

/// User and group of the process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserGroup {
    /// User name.
    pub name: String,
    /// User id.
    pub uid: Uid,
    /// Group id.
    pub gid: Gid,
}

/// A name that this machine does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnknownName {
    /// The user's.
    User,
    /// The group's.
    Group,
}

impl UserGroup {
    /// The user and the group with these names, as in `user NAME [GROUP]`; the group without a name of its own is called like
    /// the user.
    ///
    /// # Errors
    ///
    /// One of them does not exist, or the system cannot tell.
    pub fn named(user: &BStr, group: Option<&BStr>) -> Result<UserGroup, UnknownName> {
        let found = user.to_str().ok().and_then(|name| User::from_name(name).ok().flatten());
        let found = found.ok_or(UnknownName::User)?;
        let group =
            group.unwrap_or(user).to_str().ok().and_then(|name| Group::from_name(name).ok().flatten());
        let group = group.ok_or(UnknownName::Group)?;
        Ok(UserGroup { name: found.name, uid: found.uid, gid: group.gid })
    }
}

/// The user that the process becomes once it runs: the one that the configuration names, otherwise `nobody`, as in nginx.
/// `None` if it stays what it is: it is not root, it is to stay root, or there is no `nobody`.
pub fn becomes(named: Option<&UserGroup>) -> Option<UserGroup> {
    if !geteuid().is_root() {
        return None;
    }
    let user = match named {
        Some(user) => user.clone(),
        None => {
            let nobody = User::from_name("nobody").ok().flatten()?;
            UserGroup { name: nobody.name, uid: nobody.uid, gid: nobody.gid }
        }
    };
    (!user.uid.is_root()).then_some(user)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_names_are_told_apart() {
        let find = |user: &str, group: Option<&str>| UserGroup::named(user.into(), group.map(BStr::new));
        assert_eq!(find("no-such-user", None), Err(UnknownName::User));
        assert_eq!(find("root", Some("no-such-group")), Err(UnknownName::Group));
        let root = find("root", None).unwrap();
        assert!(root.uid.is_root() && root.name == "root");
    }

    #[test]
    fn only_root_becomes_another_user() {
        let root = UserGroup::named("root".into(), None).unwrap();
        assert_eq!(becomes(Some(&root)), None);
        let other = UserGroup { name: "other".into(), uid: Uid::from_raw(12), gid: Gid::from_raw(34) };
        assert_eq!(becomes(Some(&other)), geteuid().is_root().then_some(other));
    }
}
